// No congestion control: the peer's window is the only limit. For closed laboratories.
#include "tcp/congestion/congestion.hpp"

namespace handfast::tcp {

const Congestion kNoCongestionControl = {
    .name = "none",
    .owns_window = true,
    .start = [](Tcb& tcb, const Context&) { tcb.cwnd = kCwndMax; },
    .observe = [](Tcb&, const AckSample&, const Context&) {},
    .on_ack = [](Tcb&, const AckSample&, const Context&) {},
    .reduced_window = [](Tcb&, std::uint32_t, const Context&) { return kCwndMax; },
    .marked_window = [](Tcb&, std::uint32_t, const Context&) { return kCwndMax; },
    .on_timeout = [](Tcb&, const Context&) {},
    .on_recovered = [](Tcb&, const Context&) {},
    .on_undo = [](Tcb&, const Context&) {},
};

}  // namespace handfast::tcp
