// Books: what each end of each connection of a soak run is to do, and what it has done and seen.
// Written by the Applications, judged at the end (judge.hpp). Also the streams' contents: each is a
// stretch of one random text, so that a byte from another stream or place does not match.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/flow_key.hpp"
#include "handfast/connection.hpp"
#include "tests/sim/soak/plan.hpp"

namespace handfast::sim {

inline constexpr std::size_t kClientEnd = 0;
inline constexpr std::size_t kServerEnd = 1;

struct EndBook {
  EndPlan plan;
  bool is_fast = false;  // the connection asks for TCP Fast Open
  std::size_t host = 0;
  Connection connection;
  base::FlowKey key;       // this end is local; known when opened, or connecting
  bool is_active = false;  // connect() returned it
  bool has_called_connect = false;
  std::uint32_t opened = 0;
  std::uint32_t closed = 0;
  std::uint32_t peer_finished = 0;
  std::uint32_t callbacks = 0;
  std::uint32_t sent = 0;      // bytes that send() took
  std::uint32_t received = 0;  // bytes that on_data took
  // Bytes of the stream up to the end of each piece that was sent as urgent; and how far the other
  // end was told that its peer's are.
  std::vector<std::uint32_t> marks;
  std::uint32_t told_mark = 0;
  bool was_complained_of = false;  // network_error() said something
  CloseReason reason{};
  Instant closed_at;                             // of the world
  Instant time_wait_over_at = Instant::never();  // of the world
  Instant timer_at = Instant::never();           // of the host
  std::uint32_t idle_timers = 0;                 // in a row, that nothing had come before
  std::uint32_t moved_at_timer = 0;              // bytes, sent and received, when it last ran
  bool close_called = false;
  bool abort_called = false;
  bool lingers = false;        // close_within()
  bool has_left_text = false;  // of what on_data offered
  bool has_quit = false;
  bool is_lost = false;  // its host restarted: nothing more will be told

  // Known to its application, and not over.
  bool is_live() const { return (is_active || opened > 0) && closed == 0 && !is_lost; }
};

class Books {
 public:
  explicit Books(const Plan& plan);

  std::size_t size() const { return entries_.size(); }
  EndBook& at(std::size_t number, std::size_t end) { return entries_[number][end]; }
  const EndBook& at(std::size_t number, std::size_t end) const { return entries_[number][end]; }
  // What that end sends: as much as its plan says.
  base::Bytes stream(std::size_t number, std::size_t end) const;
  static std::string name_of(std::size_t number, std::size_t end);

  // Connection::context(), from which an application knows what it is called for; never 0.
  static std::uint64_t context_of(std::size_t number, std::size_t end) {
    return number * 2 + end + 1;
  }
  // The connection to this host whose client has this endpoint now; size() when there is none.
  std::size_t number_of(const Endpoint& client, std::size_t server_host) const;

  template <class F>
  void for_each_end(F&& visit) {
    for (std::size_t number = 0; number < entries_.size(); ++number) {
      for (const std::size_t end : {kClientEnd, kServerEnd}) {
        visit(number, end, entries_[number][end]);
      }
    }
  }

 private:
  std::uint64_t seed_;
  std::vector<std::array<EndBook, 2>> entries_;
};

}  // namespace handfast::sim
