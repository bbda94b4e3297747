#include "tcp/congestion/congestion.hpp"

namespace handfast::tcp {

const Congestion& congestion_of(CongestionControl algorithm) {
  switch (algorithm) {
    case CongestionControl::new_reno:
      return kNewReno;
    case CongestionControl::cubic:
      return kCubic;
    case CongestionControl::dctcp:
      return kDctcp;
    case CongestionControl::bbr:
      return kBbr;
    case CongestionControl::none:
      return kNoCongestionControl;
  }
  return kNewReno;
}

}  // namespace handfast::tcp
