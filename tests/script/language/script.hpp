// Script: a segment script as values, one Statement a line. The parser makes it, the runner plays
// it; neither an end nor a frame is known here. docs/segment_scripts.md has the grammar.
//
// Sequence numbers count from the first SYN of whoever they belong to, whose own number is 0: the
// peer's SEG.SEQ from the peer's SYN, its SEG.ACK from the tested stack's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/segment.hpp"
#include "handfast/address.hpp"
#include "handfast/config.hpp"
#include "handfast/error.hpp"
#include "handfast/time.hpp"

namespace handfast::script {

// "*", "5", ">=5", "<=5" or "3..5". What is injected has an exact one.
struct Range {
  std::int64_t low = 0;
  std::int64_t high = 0;

  bool contains(std::int64_t value) const { return value >= low && value <= high; }
  bool is_exact() const { return low == high; }
  bool operator==(const Range&) const = default;
};

enum class OptionKind : std::uint8_t {
  mss,
  window_scale,
  sack_permitted,
  timestamps,
  sack,
  fast_open,
  nop,
  end,
  raw,  // bytes as they are, for what no sane sender would write
};

struct Blocks {
  std::int64_t left = 0;
  std::int64_t right = 0;
  bool operator==(const Blocks&) const = default;
};

struct Option {
  OptionKind kind = OptionKind::nop;
  bool is_absent = false;  // "no sack": expected not to be there
  Range value;             // MSS, shift count or TSval
  Range echo;              // TSecr
  bool is_echo = false;    // TSecr is the TSval that the stack has sent last, plus `echo`
  std::vector<Blocks> blocks;
  std::vector<std::uint8_t> bytes;  // cookie, or raw
  bool is_any_cookie = false;       // "fast_open *"
};

// A segment to inject or to expect; of the latter, what is left out may be anything.
struct SegmentSpec {
  std::uint8_t flags = 0;      // base::TcpFlag
  bool is_fresh = false;       // "new": expected with any number, which becomes 0
  bool is_any_seq = false;     // "*"
  bool is_any_length = false;  // "1:*"
  std::int64_t seq = 0;
  std::optional<Range> seq_range;  // "100..200", without text
  std::uint32_t length = 0;        // of the text
  std::optional<Range> ack;
  std::optional<Range> window;
  std::optional<Range> urgent;
  std::optional<base::Ecn> ecn;
  std::optional<std::uint8_t> dscp;
  std::optional<std::uint8_t> hop_limit;
  std::vector<Option> options;
  // Injected only.
  std::optional<Address> from;
  std::optional<Address> to;
  std::optional<std::uint16_t> port;        // source port
  std::optional<std::uint8_t> data_offset;  // in words, whatever the options take
  std::vector<std::uint8_t> ip_options;     // of IPv4
  std::uint8_t pattern = 0;                 // another text than the right one
  bool has_bad_checksum = false;
};

// When something is to happen, counted from the statement before.
struct Within {
  Duration low{0};
  Duration high{0};
};

// An ICMP error about the segment that the stack sent with number `about`.
enum class IcmpKind : std::uint8_t {
  net_unreachable,
  host_unreachable,
  protocol_unreachable,
  port_unreachable,
  packet_too_big,
  source_route_failed,
  prohibited,
  source_quench,
  time_exceeded,
  parameter_problem,
};

struct Inject {
  SegmentSpec segment;
};
struct InjectIcmp {
  IcmpKind kind = IcmpKind::host_unreachable;
  std::int64_t about = 0;
  std::uint16_t mtu = 0;
};
struct Expect {
  SegmentSpec segment;
  Within within;
};
struct ExpectNone {
  Duration duration{0};
};
struct Wait {
  Duration duration{0};
};

enum class CallName : std::uint8_t {
  listen,
  stop_listening,
  connect,
  send,
  send_urgent,
  close,
  close_within,
  abort,
  pause,
  resume,
  set_nagle,
  set_keep_alive,
  set_user_timeout,
};
struct Call {
  CallName name = CallName::listen;
  std::uint32_t bytes = 0;
  Duration duration{0};
  bool on = false;
  bool fast_open = false;
  std::optional<Address> to;
  std::optional<Address> from;
  // What it answers: bytes taken, or an error by its name. Without either it has to succeed.
  std::optional<std::uint32_t> taken;
  std::optional<Error> error;
};

enum class EventName : std::uint8_t { none, open, data, urgent, writable, peer_finished, closed };
struct Event {
  EventName name = EventName::none;
  std::uint32_t bytes = 0;
  CloseReason reason = CloseReason::finished;
  Within within;
};

struct StateIs {
  State state = State::closed;
};
struct CounterIs {
  std::string name;
  Range value;
};
// A fact of ConnectionInfo.
struct InfoIs {
  std::string name;
  Range value;
};
// From here on another connection is meant.
struct UseFlow {
  std::string name;
};

using Action = std::variant<Inject, InjectIcmp, Expect, ExpectNone, Wait, Call, Event, StateIs,
                            CounterIs, InfoIs, UseFlow>;

enum class Side : std::uint8_t { both, handfast, linux_only };

struct Statement {
  std::string file;
  int line = 0;
  std::string text;  // as written
  Side side = Side::both;
  Action action;
};

struct Script {
  std::string file;
  bool is_v6 = false;
  StackConfig stack;
  std::vector<std::string> settings;         // names of those that the script gives
  std::optional<std::string> linux_skip;     // why
  std::optional<std::string> linux_differs;  // why
  std::vector<Statement> statements;
};

}  // namespace handfast::script
