// GroupReports: tells the link's switches and routers which multicast groups we listen to (RFC
// 3810, the listener's part): the solicited-node groups of our addresses, so that a switch that
// forwards groups only where it heard of a listener lets solicitations through to us. What we
// listen to never changes after start, so two timers are all its state: one for the reports at
// start, one for the answer to a query, which whoever received it gives. Called by the stack.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/counter.hpp"
#include "handfast/address.hpp"
#include "handfast/time.hpp"
#include "net/frame_sink.hpp"
#include "net/interface.hpp"
#include "wire/listener_report.hpp"

namespace handfast::net {

// RFC 3810 section 9.1: the reports at start are said so often, and within a second each (9.11).
inline constexpr unsigned kReportsAtStart = 2;
inline constexpr Duration kReportInterval = std::chrono::seconds(1);

class GroupReports {
 public:
  // All are borrowed for life. Without `is_on`, or an IPv6 address, it keeps silent; one worker
  // `begins` with reports that nobody asked for. `seed` is of the delays.
  GroupReports(const Interface& interface, FrameSink& sink, base::LiveCounters& counters,
               bool is_on, bool begins, std::uint64_t seed);

  // A valid query. It is answered within the delay it allows, at random.
  void receive(const wire::ListenerQuery& query, Instant now);

  Instant next_deadline() const { return std::min(next_unasked_, answer_at_); }
  void advance(Instant now);

  // What is reported: of owned ranges the first groups only, as many as there is room for.
  std::span<const Address> groups() const { return std::span{groups_}.first(group_count_); }

 private:
  void add(const Address& address);
  bool has(const Address& group) const;
  Duration some_delay(Duration longest);
  void report(wire::ListenerRecord record);
  void report_v1(const Address& group);
  template <class Emit>
  void send(const Address& to, Emit emit);

  const Interface* interface_;
  FrameSink* sink_;
  base::LiveCounters* counters_;
  std::uint64_t random_;
  std::array<Address, wire::kReportedGroupsMax> groups_;
  std::size_t group_count_ = 0;
  unsigned unasked_left_ = 0;
  bool is_started_ = false;
  bool answers_v1_ = false;
  Instant next_unasked_ = Instant::never();
  Instant answer_at_ = Instant::never();
};

}  // namespace handfast::net
