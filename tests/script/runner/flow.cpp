#include "tests/script/runner/flow.hpp"

#include <fmt/format.h>

namespace handfast::script {
namespace {

std::string flags_of(const base::Segment& segment) {
  constexpr std::string_view kLetters = "FSRPAUEC";
  std::string flags;
  for (std::size_t bit = 0; bit < kLetters.size(); ++bit) {
    if ((segment.flags >> bit & 1) != 0) flags += kLetters[bit];
  }
  return flags.empty() ? "-" : flags;
}

std::string options_of(const base::TcpOptions& options, const Flow& flow) {
  using enum base::TcpOptions::Present;
  std::string text;
  const auto add = [&text](const std::string& option) {
    text += text.empty() ? option : ", " + option;
  };
  if (options.has(kMss)) add(fmt::format("mss {}", options.mss));
  if (options.has(kSackPermitted)) add("sack_ok");
  if (options.has(kTimestamps)) add(fmt::format("ts {}/{}", options.ts_value, options.ts_echo));
  if (options.has(kWindowScale)) add(fmt::format("ws {}", options.window_scale));
  if (options.has(kFastOpen)) add(fmt::format("fast_open of {} bytes", options.cookie_length));
  if (options.sack_count != 0) {
    std::string blocks = "sack";
    for (std::size_t i = 0; i < options.sack_count; ++i) {
      blocks += fmt::format(" {}:{}", flow.from_peer(options.sack[i].left),
                            flow.from_peer(options.sack[i].right));
    }
    add(blocks);
  }
  return text.empty() ? "" : " <" + text + ">";
}

}  // namespace

std::string describe(const Seen& seen, const Flow& flow) {
  constexpr std::array<std::string_view, 4> kEcn = {"", " ect1", " ect0", " ce"};
  const base::Segment& segment = seen.segment;
  const std::int64_t seq = flow.from_local(segment.seq);
  std::string text = fmt::format("{} {}", flags_of(segment), seq);
  if (!segment.payload.empty()) {
    text += fmt::format(":{}", seq + static_cast<std::int64_t>(segment.payload.size()));
  }
  if (segment.has(base::kAck)) text += fmt::format(" ack {}", flow.from_peer(segment.ack));
  text += fmt::format(" win {}", segment.window);
  if (segment.has(base::kUrg)) text += fmt::format(" urg {}", segment.urgent);
  return text + options_of(segment.options, flow) + std::string(kEcn[seen.frame.tos & 3]);
}

}  // namespace handfast::script
