#include "tests/script/language/statement_parser.hpp"

#include <algorithm>
#include <array>

#include "tests/script/language/segment_parser.hpp"

namespace handfast::script {
namespace {

// The value of an enum whose names are those of to_string(), as single words.
template <class Enum>
Enum parse_named(Line& line, std::uint8_t count, std::string_view what) {
  const std::string word = line.words().take();
  std::string known;
  for (std::uint8_t i = 0; i < count; ++i) {
    const auto value = static_cast<Enum>(i);
    std::string name(to_string(value));
    std::ranges::replace(name, ' ', '_');
    if (name == word) return value;
    known += (i == 0 ? "" : ", ") + name;
  }
  line.refuse(word, fmt::format("{} ({})", what, known));
  return Enum{};
}

void parse_set(Line& line, Call& call) {
  const std::string name = line.words().take();
  if (name == "nagle") {
    call.name = CallName::set_nagle;
    call.on = line.get(parse_switch(line.words().take()));
  } else if (name == "keep_alive" || name == "user_timeout") {
    call.name = name == "keep_alive" ? CallName::set_keep_alive : CallName::set_user_timeout;
    call.duration = line.duration();
  } else {
    line.refuse(name, "nagle, keep_alive or user_timeout");
  }
}

void parse_connect(Line& line, Call& call) {
  while (line.more() && line.words().peek() != "->") {
    const std::string word = line.words().take();
    if (word == "fast_open") {
      call.fast_open = true;
    } else if (word == "send") {
      call.bytes = line.number_up_to<std::uint32_t>(65'535);
    } else if (word == "to") {
      call.to = line.address();
    } else if (word == "from") {
      call.from = line.address();
    } else {
      line.refuse(word, "to ADDRESS, from ADDRESS, fast_open, send BYTES or ->");
    }
  }
}

constexpr std::array<std::pair<std::string_view, CallName>, 10> kCallNames = {
    {{"listen", CallName::listen},
     {"stop_listening", CallName::stop_listening},
     {"connect", CallName::connect},
     {"send", CallName::send},
     {"send_urgent", CallName::send_urgent},
     {"close", CallName::close},
     {"close_within", CallName::close_within},
     {"abort", CallName::abort},
     {"pause", CallName::pause},
     {"resume", CallName::resume}}};

void parse_arguments(Line& line, Call& call) {
  switch (call.name) {
    case CallName::listen:
      if (!line.words().at_end() && line.words().peek() != "->") call.from = line.address();
      break;
    case CallName::connect:
      parse_connect(line, call);
      break;
    case CallName::send:
    case CallName::send_urgent:
      call.bytes = line.number_up_to<std::uint32_t>(16 << 20);
      break;
    case CallName::close_within:
      call.duration = line.duration();
      break;
    default:
      break;
  }
}

Call parse_call(Line& line) {
  Call call;
  const std::string name = line.words().take();
  const auto* const known = std::find_if(kCallNames.begin(), kCallNames.end(),
                                         [&](const auto& pair) { return pair.first == name; });
  if (name == "set") {
    parse_set(line, call);
  } else if (known != kCallNames.end()) {
    call.name = known->second;
    parse_arguments(line, call);
  } else {
    line.refuse(name,
                "a call: listen, stop_listening, connect, send, send_urgent, close, "
                "close_within, abort, pause, resume or set");
  }
  if (!line.words().accept("->")) return call;
  if (const auto taken = parse_number(line.words().peek())) {
    call.taken = line.number_up_to<std::uint32_t>(16 << 20);
  } else {
    constexpr auto kErrors = static_cast<std::uint8_t>(Error::too_many_handlers) + 1;
    call.error = parse_named<Error>(line, kErrors, "a number of bytes or an error");
  }
  return call;
}

Event parse_event(Line& line) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "none", "open", "data", "urgent", "writable", "peer_finished", "closed"};
  Event event{.within = {.high = kAtOnce}};
  const std::string name = line.words().take();
  const auto* const known = std::find(kNames.begin(), kNames.end(), name);
  if (known == kNames.end()) {
    line.refuse(name, fmt::format("an event: {}", fmt::join(kNames, ", ")));
    return event;
  }
  event.name = static_cast<EventName>(known - kNames.begin());
  if (event.name == EventName::data) event.bytes = line.number_up_to<std::uint32_t>(16 << 20);
  if (event.name == EventName::closed) {
    constexpr auto kReasons = static_cast<std::uint8_t>(CloseReason::stopped) + 1;
    event.reason = parse_named<CloseReason>(line, kReasons, "a reason");
  }
  if (line.words().accept("in")) event.within = line.get(parse_within(line.words().take()));
  return event;
}

Action parse_inject(Line& line) {
  if (line.words().accept("icmp")) return parse_icmp(line);
  return Inject{parse_injected(line)};
}

Action parse_expect(Line& line) {
  if (!line.words().accept("none")) return parse_expected(line);
  if (line.words().at_end()) return ExpectNone{.duration = Duration{0}};
  if (!line.words().accept("for")) line.refuse(line.words().peek(), "for TIME");
  return ExpectNone{.duration = line.duration()};
}

// "counter" and "info".
template <class Fact>
Action parse_fact(Line& line) {
  Fact fact;
  fact.name = line.words().take();
  fact.value = line.range();
  return fact;
}

}  // namespace

Action parse_action(Line& line) {
  const std::string verb = line.words().take();
  if (verb == "inject") return parse_inject(line);
  if (verb == "expect") return parse_expect(line);
  if (verb == "wait") return Wait{.duration = line.duration()};
  if (verb == "call") return parse_call(line);
  if (verb == "event") return parse_event(line);
  if (verb == "state") return StateIs{parse_named<State>(line, kStateCount, "a state")};
  if (verb == "counter") return parse_fact<CounterIs>(line);
  if (verb == "info") return parse_fact<InfoIs>(line);
  if (verb == "connection") return UseFlow{.name = line.words().take()};
  line.refuse(verb,
              "inject, expect, wait, call, event, state, counter, info, connection, or "
              "before these config, family, include and linux");
  return Wait{};
}

}  // namespace handfast::script
