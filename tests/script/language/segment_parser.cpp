#include "tests/script/language/segment_parser.hpp"

#include <algorithm>
#include <array>

namespace handfast::script {
namespace {

enum class Use : std::uint8_t { inject, expect };

constexpr std::string_view kFlagLetters = "FSRPAUEC";  // bit 0 first

std::uint8_t parse_flags(Line& line) {
  const std::string word = line.words().take();
  std::uint8_t flags = 0;
  if (word == "-") return flags;
  for (const char letter : word) {
    const std::size_t bit = kFlagLetters.find(letter);
    if (bit == std::string_view::npos) break;
    flags = static_cast<std::uint8_t>(flags | 1U << bit);
  }
  if (word.empty() || word.find_first_not_of(kFlagLetters) != std::string::npos) {
    line.refuse(word, "flags, some of S F R P A U E C or '-' for none,");
  }
  return flags;
}

// "7", "1:101", and of what is expected also "*", "1:*", "new", "new:*", "5..9" and ">=5".
void parse_numbers(Line& line, Use use, SegmentSpec& out) {
  const std::string word = line.words().take();
  if (use == Use::expect && (word == "*" || word == "new" || word == "new:*")) {
    out.is_any_seq = word == "*";
    out.is_fresh = !out.is_any_seq;
    out.is_any_length = word == "new:*";
    return;
  }
  const bool is_range = word.find("..") != std::string::npos || word.starts_with(">=");
  if (use == Use::expect && is_range) {
    out.seq_range = line.get(parse_range(word));
    return;
  }
  const std::size_t colon = word.find(':');
  out.seq = line.get(parse_number(std::string_view{word}.substr(0, colon)));
  if (colon == std::string::npos) return;
  const std::string_view end = std::string_view{word}.substr(colon + 1);
  if (use == Use::expect && end == "*") {
    out.is_any_length = true;
    return;
  }
  const std::int64_t length = line.get(parse_number(end)) - out.seq;
  if (length < 0 || length > 65'535) {
    line.fail(fmt::format("'{}' has no text of 0 to 65535 bytes: write 1:101 for 100", word));
    return;
  }
  out.length = static_cast<std::uint32_t>(length);
}

Range parse_exact(Line& line, Use use) {
  const Range range = line.range();
  if (use == Use::inject && !range.is_exact()) line.fail("what is injected needs exact numbers");
  return range;
}

// "100/*", "100/echo", "100/echo-1".
void parse_timestamps(Line& line, Use use, Option& out) {
  const std::string word = line.words().take();
  const std::size_t slash = word.find('/');
  if (slash == std::string::npos) {
    return line.fail(fmt::format("'{}' are no timestamps: write TSval/TSecr as 100/0", word));
  }
  out.value = line.get(parse_range(std::string_view{word}.substr(0, slash)));
  std::string_view echo = std::string_view{word}.substr(slash + 1);
  if (use == Use::inject && echo.starts_with("echo")) {
    out.is_echo = true;
    echo.remove_prefix(4);
    if (echo.starts_with('+')) echo.remove_prefix(1);
    if (echo.empty()) return;
  }
  out.echo = line.get(parse_range(echo));
  if (use == Use::inject && !(out.value.is_exact() && out.echo.is_exact())) {
    line.fail("what is injected needs exact timestamps; the last TSval seen is called echo");
  }
}

void parse_blocks(Line& line, Option& out) {
  while (line.more() && line.words().peek() != "," && line.words().peek() != ">") {
    const std::string word = line.words().take();
    const std::size_t colon = word.find(':');
    if (colon == std::string::npos) {
      return line.fail(fmt::format("'{}' is no SACK block: write one as 101:201", word));
    }
    out.blocks.push_back(
        {.left = line.get(parse_number(std::string_view{word}.substr(0, colon))),
         .right = line.get(parse_number(std::string_view{word}.substr(colon + 1)))});
  }
  if (out.blocks.size() > 4) line.fail("more than 4 SACK blocks do not fit into a header");
}

void parse_cookie(Line& line, Use use, Option& out) {
  const std::string& next = line.words().peek();
  if (next == "," || next == ">") return;
  out.is_any_cookie = use == Use::expect && next == "*";
  if (out.is_any_cookie) {
    line.words().take();
  } else {
    out.bytes = line.get(parse_hex(line.words().take()));
  }
}

constexpr std::array<std::pair<std::string_view, OptionKind>, 9> kOptionNames = {
    {{"mss", OptionKind::mss},
     {"ws", OptionKind::window_scale},
     {"sack_ok", OptionKind::sack_permitted},
     {"ts", OptionKind::timestamps},
     {"sack", OptionKind::sack},
     {"fast_open", OptionKind::fast_open},
     {"nop", OptionKind::nop},
     {"eol", OptionKind::end},
     {"raw", OptionKind::raw}}};

Option parse_option(Line& line, Use use) {
  Option option;
  option.is_absent = use == Use::expect && line.words().accept("no");
  const std::string name = line.words().take();
  const auto* const known = std::find_if(kOptionNames.begin(), kOptionNames.end(),
                                         [&](const auto& pair) { return pair.first == name; });
  if (known == kOptionNames.end()) {
    line.refuse(name, "an option: mss, ws, sack_ok, ts, sack, fast_open, nop, eol or raw");
    return option;
  }
  option.kind = known->second;
  if (option.is_absent) return option;
  switch (option.kind) {
    case OptionKind::mss:
    case OptionKind::window_scale:
      option.value = parse_exact(line, use);
      break;
    case OptionKind::timestamps:
      parse_timestamps(line, use, option);
      break;
    case OptionKind::sack:
      parse_blocks(line, option);
      break;
    case OptionKind::fast_open:
      parse_cookie(line, use, option);
      break;
    case OptionKind::raw:
      option.bytes = line.get(parse_hex(line.words().take()));
      break;
    default:
      break;
  }
  if (use == Use::expect && option.kind >= OptionKind::nop) {
    line.fail("nop, eol and raw are injected only: what is expected has options with a meaning");
  }
  return option;
}

void parse_options(Line& line, Use use, SegmentSpec& out) {
  do {
    out.options.push_back(parse_option(line, use));
  } while (line.is_good() && line.words().accept(","));
  if (line.is_good() && !line.words().accept(">")) {
    line.refuse(line.words().peek(), "',' or '>' behind an option");
  }
}

std::optional<base::Ecn> codepoint_of(std::string_view word) {
  if (word == "not_ect") return base::Ecn::not_ect;
  if (word == "ect0") return base::Ecn::ect_0;
  if (word == "ect1") return base::Ecn::ect_1;
  if (word == "ce") return base::Ecn::ce;
  return std::nullopt;
}

// What only the peer's segments have.
bool parse_peer_field(Line& line, std::string_view name, SegmentSpec& out) {
  if (name == "from") {
    out.from = line.address();
  } else if (name == "to") {
    out.to = line.address();
  } else if (name == "port") {
    out.port = line.number_up_to<std::uint16_t>(65'535);
  } else if (name == "offset") {
    out.data_offset = line.number_up_to<std::uint8_t>(15);
  } else if (name == "ip_options") {
    out.ip_options = line.get(parse_hex(line.words().take()));
    if (out.ip_options.size() % 4 != 0) line.fail("IP options take whole words of 4 bytes");
  } else if (name == "text") {
    out.pattern = line.number_up_to<std::uint8_t>(255);
  } else if (name == "bad_checksum") {
    out.has_bad_checksum = true;
  } else {
    return false;
  }
  return true;
}

void parse_field(Line& line, Use use, SegmentSpec& out) {
  const std::string name = line.words().take();
  if (name == "ack") {
    out.ack = parse_exact(line, use);
  } else if (name == "win") {
    out.window = parse_exact(line, use);
  } else if (name == "urg") {
    out.urgent = parse_exact(line, use);
  } else if (name == "<") {
    parse_options(line, use, out);
  } else if (name == "dscp") {
    out.dscp = line.number_up_to<std::uint8_t>(63);
  } else if (name == "ttl") {
    out.hop_limit = line.number_up_to<std::uint8_t>(255);
  } else if (const auto codepoint = codepoint_of(name)) {
    out.ecn = codepoint;
  } else if (use == Use::expect || !parse_peer_field(line, name, out)) {
    line.refuse(name, use == Use::expect
                          ? "ack, win, urg, <options>, dscp, ttl, not_ect, ect0, ect1, ce or in"
                          : "ack, win, urg, <options>, dscp, ttl, not_ect, ect0, ect1, ce, from, "
                            "to, port, offset, ip_options, text or bad_checksum");
  }
}

SegmentSpec parse_segment(Line& line, Use use) {
  SegmentSpec segment;
  segment.flags = parse_flags(line);
  if (line.is_good()) parse_numbers(line, use, segment);
  while (line.more() && line.words().peek() != "in") parse_field(line, use, segment);
  const bool has_ack = (segment.flags & base::kAck) != 0;
  if (line.is_good() && has_ack != segment.ack.has_value()) {
    line.fail(has_ack ? "a segment with A says which: write ack N, or expect ack *"
                      : "only a segment with A has ack");
  }
  return segment;
}

}  // namespace

SegmentSpec parse_injected(Line& line) {
  return parse_segment(line, Use::inject);
}

Expect parse_expected(Line& line) {
  Expect expect{.segment = parse_segment(line, Use::expect), .within = {.high = kAtOnce}};
  if (line.words().accept("in")) expect.within = line.get(parse_within(line.words().take()));
  return expect;
}

InjectIcmp parse_icmp(Line& line) {
  static constexpr std::array<std::string_view, 10> kKinds = {
      "net_unreachable", "host_unreachable",    "protocol_unreachable", "port_unreachable",
      "too_big",         "source_route_failed", "prohibited",           "source_quench",
      "time_exceeded",   "parameter_problem"};
  InjectIcmp icmp;
  const std::string kind = line.words().take();
  const auto* const known = std::find(kKinds.begin(), kKinds.end(), kind);
  if (known == kKinds.end()) {
    line.refuse(kind, fmt::format("one of {}", fmt::join(kKinds, ", ")));
    return icmp;
  }
  icmp.kind = static_cast<IcmpKind>(known - kKinds.begin());
  if (icmp.kind == IcmpKind::packet_too_big) icmp.mtu = line.number_up_to<std::uint16_t>(65'535);
  if (!line.words().accept("about")) line.refuse(line.words().peek(), "about SEQ");
  icmp.about = line.number();
  return icmp;
}

}  // namespace handfast::script
