#include "bench/syn_flood/syn_frames.hpp"

#include "wire/tcp.hpp"

namespace handfast::bench {

void SynFrames::write(base::Packet& packet, const wire::LinkHeader& link) {
  using O = base::TcpOptions;
  const std::uint64_t word = random_.next();
  base::Segment syn;
  syn.flags = base::kSyn;
  syn.seq = base::Seq{static_cast<std::uint32_t>(word)};
  syn.window = 64'240;
  syn.options.present = O::kMss | O::kSackPermitted | O::kTimestamps | O::kWindowScale;
  syn.options.mss = 1460;
  syn.options.window_scale = 7;
  syn.options.ts_value = static_cast<std::uint32_t>(word >> 7);
  syn.options.ts_echo = 0;
  const auto port = static_cast<std::uint16_t>(1024 + (word >> 40) % 64'000);
  wire::emit_tcp(packet, {.link = link,
                          .ip = {.source = sources_.nth(random_.below(sources_.size())),
                                 .destination = target_.address},
                          .ports = {.source = port, .destination = target_.port},
                          .segment = syn});
}

}  // namespace handfast::bench
