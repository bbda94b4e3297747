#include "tests/script/runner/match.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace handfast::script {
namespace {

using Present = base::TcpOptions::Present;

// Pushing is the sender's choice: compared only where a script asks for it.
bool same_flags(std::uint8_t wanted, std::uint8_t seen) {
  const bool asks_for_push = (wanted & base::kPsh) != 0;
  const auto mask = static_cast<std::uint8_t>(asks_for_push ? 0xff : 0xff & ~base::kPsh);
  return ((wanted ^ seen) & mask) == 0;
}

Complaint match_numbers(const SegmentSpec& wanted, const Seen& seen, const Flow& flow) {
  const base::Segment& segment = seen.segment;
  const bool is_open = wanted.is_any_seq || wanted.is_fresh;
  const Range numbers = wanted.seq_range.value_or(Range{.low = wanted.seq, .high = wanted.seq});
  if (!is_open && !numbers.contains(flow.from_local(segment.seq))) {
    return "the sequence number differs";
  }
  const bool any_length = wanted.is_any_seq || wanted.is_any_length;
  if (!any_length && segment.payload.size() != wanted.length) return "the text's length differs";
  if (wanted.is_any_length && segment.payload.empty()) return "there is no text";
  if (wanted.ack && !wanted.ack->contains(flow.from_peer(segment.ack))) return "ack differs";
  if (wanted.window && !wanted.window->contains(segment.window)) return "win differs";
  if (wanted.urgent && !wanted.urgent->contains(segment.urgent)) return "urg differs";
  return std::nullopt;
}

Complaint match_ip(const SegmentSpec& wanted, const Seen& seen) {
  if (wanted.ecn && (seen.frame.tos & 3) != static_cast<std::uint8_t>(*wanted.ecn)) {
    return "the ECN codepoint differs";
  }
  if (wanted.dscp && seen.frame.tos >> 2 != *wanted.dscp) {
    return fmt::format("dscp is {}", seen.frame.tos >> 2);
  }
  if (wanted.hop_limit && seen.frame.hop_limit != *wanted.hop_limit) {
    return fmt::format("ttl is {}", seen.frame.hop_limit);
  }
  return std::nullopt;
}

bool is_present(OptionKind kind, const base::TcpOptions& options) {
  switch (kind) {
    case OptionKind::mss:
      return options.has(Present::kMss);
    case OptionKind::window_scale:
      return options.has(Present::kWindowScale);
    case OptionKind::sack_permitted:
      return options.has(Present::kSackPermitted);
    case OptionKind::timestamps:
      return options.has(Present::kTimestamps);
    case OptionKind::fast_open:
      return options.has(Present::kFastOpen);
    default:
      return options.sack_count != 0;
  }
}

bool same_blocks(const std::vector<Blocks>& wanted, const base::TcpOptions& options,
                 const Flow& flow) {
  if (wanted.size() != options.sack_count) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const base::SackBlock& block = options.sack[i];
    if (Blocks{flow.from_peer(block.left), flow.from_peer(block.right)} != wanted[i]) return false;
  }
  return true;
}

bool same_value(const Option& wanted, const base::TcpOptions& options, const Flow& flow) {
  switch (wanted.kind) {
    case OptionKind::mss:
      return wanted.value.contains(options.mss);
    case OptionKind::window_scale:
      return wanted.value.contains(options.window_scale);
    case OptionKind::timestamps:
      return wanted.value.contains(options.ts_value) && wanted.echo.contains(options.ts_echo);
    case OptionKind::sack:
      return same_blocks(wanted.blocks, options, flow);
    case OptionKind::fast_open: {
      const std::size_t length = options.cookie_length;
      if (wanted.is_any_cookie) return length != 0;
      return std::ranges::equal(wanted.bytes, std::span{options.cookie}.first(length));
    }
    default:
      return true;
  }
}

Complaint match_options(const SegmentSpec& wanted, const Seen& seen, const Flow& flow) {
  const base::TcpOptions& options = seen.segment.options;
  for (const Option& option : wanted.options) {
    const bool is_there = is_present(option.kind, options);
    if (is_there == option.is_absent) {
      return option.is_absent ? "an option is there that should not be" : "an option is missing";
    }
    if (is_there && !same_value(option, options, flow)) return "an option's value differs";
  }
  return std::nullopt;
}

Complaint match_text(const Seen& seen, const Flow& flow) {
  const base::Segment& segment = seen.segment;
  const std::int64_t first = flow.from_local(segment.seq) + (segment.has(base::kSyn) ? 1 : 0);
  for (std::size_t i = 0; i < segment.payload.size(); ++i) {
    const auto number = static_cast<std::uint64_t>(first) + i;
    if (segment.payload[i] != text_at(number)) {
      return fmt::format("the text is wrong from sequence number {} on", number);
    }
  }
  return std::nullopt;
}

}  // namespace

Complaint match(const SegmentSpec& wanted, const Seen& seen, const Flow& flow) {
  if (!same_flags(wanted.flags, seen.segment.flags)) return "the flags differ";
  if (auto complaint = match_numbers(wanted, seen, flow)) return complaint;
  if (auto complaint = match_ip(wanted, seen)) return complaint;
  if (auto complaint = match_options(wanted, seen, flow)) return complaint;
  return match_text(seen, flow);
}

}  // namespace handfast::script
