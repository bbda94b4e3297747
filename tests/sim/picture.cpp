#include "tests/sim/picture.hpp"

#include <fmt/format.h>

#include <cstring>

#include "wire/frame.hpp"
#include "wire/tcp.hpp"

namespace handfast::sim {
namespace {

struct Seen {
  wire::TcpPorts ports;
  base::Segment segment;
};

std::optional<Seen> parse(base::Bytes bytes) {
  // A packet is writable by type; this one is only read.
  const base::Packet packet{.data = const_cast<std::byte*>(bytes.data()),
                            .length = static_cast<std::uint32_t>(bytes.size())};
  wire::LinkFilter filter;
  if (bytes.size() < filter.mac.size()) return std::nullopt;
  std::memcpy(filter.mac.data(), bytes.data(), filter.mac.size());
  wire::Frame frame;
  if (wire::parse_frame(packet, filter, frame) != wire::Drop::none) return std::nullopt;
  Seen seen;
  if (frame.kind != wire::FrameKind::tcp ||
      wire::parse_tcp(frame.payload, frame, seen.ports, seen.segment) != wire::Drop::none) {
    return std::nullopt;
  }
  return seen;
}

std::string sack_of(const base::Segment& segment, base::Seq first) {
  std::string text;
  for (std::uint8_t i = 0; i < segment.options.sack_count; ++i) {
    const base::SackBlock& block = segment.options.sack[i];
    text += fmt::format("{}{}..{}", i == 0 ? "" : " ", block.left - first, block.right - first);
  }
  return text;
}

}  // namespace

std::string Picture::heading() {
  return fmt::format("{:>10}     {:<30}{:>9}  {}\n", "time ms", "segment", "ack", "sack");
}

std::string Picture::segment_of(const base::Segment& segment, End& end) const {
  std::string text;
  for (const auto& [flag, name] :
       {std::pair{base::kSyn, "SYN "}, {base::kFin, "FIN "}, {base::kRst, "RST "}}) {
    if (segment.has(flag)) text += name;
  }
  if (segment.len() == 0) return text;
  const base::Seq behind = segment.seq + segment.len();
  text += fmt::format("{}..{}", segment.seq - end.first, behind - end.first);
  if (segment.seq.is_before(end.next)) text += " again";
  end.next = later_of(end.next, behind);
  return text;
}

std::string Picture::line_of(Instant now, base::Bytes frame, std::string_view note) {
  const std::optional<Seen> seen = parse(frame);
  if (!seen) return {};
  const base::Segment& segment = seen->segment;
  if (!start_) {
    start_ = now;
    sender_port_ = seen->ports.source;
  }
  const bool is_forth = seen->ports.source == sender_port_;
  End& end = is_forth ? sender_ : receiver_;
  const End& other = is_forth ? receiver_ : sender_;
  if (!end.is_known) end = {segment.seq, segment.seq, true};
  const double ms = std::chrono::duration<double, std::milli>(now - *start_).count();
  std::string line =
      fmt::format("{:10.3f} {}  {:<30}", ms, is_forth ? "->" : "<-", segment_of(segment, end));
  line += segment.has(base::kAck) ? fmt::format("{:>9}", segment.ack - other.first)
                                  : fmt::format("{:>9}", "");
  line += fmt::format("  {:<24}{}", sack_of(segment, other.first), note);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace handfast::sim
