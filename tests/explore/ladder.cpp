#include "tests/explore/ladder.hpp"

#include <fmt/format.h>

#include <utility>

namespace handfast::explore {

namespace {

constexpr std::size_t kStateWidth = 12;
constexpr std::size_t kSegmentWidth = 43;

std::string controls(const Flight& flight) {
  constexpr std::array<std::pair<base::TcpFlag, std::string_view>, 4> kNames{
      {{base::kSyn, "SYN"}, {base::kRst, "RST"}, {base::kFin, "FIN"}, {base::kAck, "ACK"}}};
  std::string names;
  for (const auto& [flag, name] : kNames) {
    if (!flight.has(flag)) continue;
    names += names.empty() ? "" : ",";
    names += name;
  }
  return names;
}

std::string to_text(const Flight& flight) {
  std::string text = fmt::format("<SEQ={}>", flight.seq);
  if (flight.has(base::kAck)) text += fmt::format("<ACK={}>", flight.ack);
  text += fmt::format("<CTL={}>", controls(flight));
  if (flight.text_length > 0) {
    text += fmt::format(
        "<DATA={}>",
        std::string_view(reinterpret_cast<const char*>(flight.text.data()), flight.text_length));
  }
  return text;
}

std::string_view fate_of(Move move) {
  switch (move) {
    case Move::lose:
      return " lost";
    case Move::lose_and_tell:
      return " lost, ICMP";
    case Move::duplicate:
    case Move::duplicate_late:
      return " copied";
    case Move::hold_back:
      return " held back";
    case Move::join:
      return " and more";
    case Move::deliver_late:
      return " late";
    default:
      return "";
  }
}

bool is_arrival(Move move) {
  return move == Move::deliver || move == Move::duplicate || move == Move::join ||
         move == Move::deliver_late || move == Move::duplicate_late;
}

std::string_view name_of(Call call) {
  switch (call) {
    case Call::open:
      return "connect()";
    case Call::send:
    case Call::send_three:
      return "send()";
    case Call::send_and_close:
      return "send(), close()";
    case Call::read:
      return "resume_receive()";
    case Call::close:
    case Call::close_after_peer:
      return "close()";
  }
  return "?";
}

class Drawing {
 public:
  explicit Drawing(const Setting& setting) : world_(setting) {
    world_.begin();
    elapsed_ = world_.elapsed();
    text_ = fmt::format("      {:<{}}  {:{}}  B\n", "A", kStateWidth, "", kSegmentWidth + 8);
    put_row(fmt::format("{:{}}", "", kSegmentWidth + 8));
  }

  void step(std::uint8_t index) {
    Actions actions;
    world_.list_actions(actions);
    HANDFAST_ASSERT(index < actions.size());
    const Action action = actions[index];
    ++number_;
    const std::string middle = describe(action);
    world_.act(action);
    put_time();
    put_row(fmt::format("{:<{}}", middle, kSegmentWidth + 8));
    if (is_arrival(action.move)) put_taken(1 - action.end);
  }

  bool has_next() const {
    Actions actions;
    world_.list_actions(actions);
    return !actions.is_empty();
  }

  std::string finish() {
    Actions actions;
    world_.list_actions(actions);
    const Fault fault = world_.fault(actions.is_empty());
    if (fault != Fault::none) {
      text_ += fmt::format("\n  {}: {}.\n", to_string(fault), meaning_of(fault));
    }
    return std::move(text_);
  }

 private:
  std::string describe(const Action& action) const {
    const char who = action.end == 0 ? 'A' : 'B';
    switch (action.move) {
      case Move::call:
        return fmt::format("{}: {}", who, name_of(world_.host(action.end).next_call()));
      case Move::timer:
        return fmt::format("{}: {}", who, timer_of(action.end));
      case Move::end_burst:
        return fmt::format("{}: the burst ends", who);
      case Move::expire:
        return "what is still on its way is too old and gone";
      default:
        break;
    }
    const bool is_stray = action.move == Move::deliver_late || action.move == Move::duplicate_late;
    const auto& queue = world_.network().queue[action.end];
    const auto& strays = world_.network().strays[action.end];
    const Flight& flight = is_stray ? strays[action.index] : queue[0];
    const bool arrives = is_arrival(action.move);
    const std::string segment =
        fmt::format("{:<{}}", to_text(flight) + std::string(fate_of(action.move)), kSegmentWidth);
    const std::string_view far = arrives ? (action.end == 0 ? "-->" : "<--") : "   ";
    return action.end == 0 ? fmt::format("--> {} {}", segment, far)
                           : fmt::format("{} {} <--", far, segment);
  }

  std::string_view timer_of(std::size_t end) const {
    const Host& host = world_.host(end);
    if (host.books().kind == RecordKind::time_wait) return "2MSL are over";
    if (host.books().kind == RecordKind::connection && host.timer_is() == tcp::TimerIs::idle) {
      return "has been idle";
    }
    return "no answer came";
  }

  // A line of its own where time has passed.
  void put_time() {
    if (world_.elapsed() == elapsed_) return;
    elapsed_ = world_.elapsed();
    text_ += fmt::format("      ... {:.1f} s after the beginning\n",
                         std::chrono::duration<double>(elapsed_).count());
  }

  // What an application was given by a segment.
  void put_taken(std::size_t end) {
    const Host& host = std::as_const(world_).host(end);
    if (host.taken().is_empty()) return;
    const std::string text(host.taken().begin(), host.taken().end());
    const std::size_t column = end == 0 ? 6 : 6 + kStateWidth + 2 + kSegmentWidth + 8 + 2;
    text_ += fmt::format("{:{}}takes \"{}\"\n", "", column, text);
  }

  void put_row(const std::string& middle) {
    std::string row = fmt::format("{:>4}  {:<{}}  {}  {}", number_, state_of(0), kStateWidth,
                                  middle, state_of(1));
    row.erase(row.find_last_not_of(' ') + 1);
    text_ += row + '\n';
  }

  std::string_view state_of(std::size_t end) const { return to_string(world_.host(end).state()); }

  World world_;
  Duration elapsed_{};
  unsigned number_ = 0;
  std::string text_;
};

}  // namespace

std::string ladder(const Setting& setting, const Way& way) {
  Drawing drawing(setting);
  for (const std::uint8_t index : way) drawing.step(index);
  return drawing.finish();
}

std::string straight_ladder(const Setting& setting) {
  Drawing drawing(setting);
  while (drawing.has_next()) drawing.step(0);
  return drawing.finish();
}

}  // namespace handfast::explore
