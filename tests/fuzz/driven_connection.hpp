// DrivenConnection: one Tcb without a stack, driven by a fuzzer's choices. It does what the stack
// does around lib/tcp, and nothing else: events are taken as they come, output follows. After each
// step the record's laws are checked, and those of what is sent and delivered:
//
//   bytes    each byte is a function of its sequence number, in both directions
//   windows  the one we offer never shrinks, nothing is sent beyond the largest the peer ever
//            offered but a probe of one byte
//   states   only transitions that RFC 9293 figure 5 has, one or more at a time
#pragma once

#include <optional>
#include <vector>

#include "drivers/link/sim_pool.hpp"
#include "tcp/half_open.hpp"
#include "tcp/output.hpp"
#include "tcp/segment_arrives.hpp"
#include "tcp/timeouts.hpp"
#include "tests/fuzz/input.hpp"

namespace handfast::fuzz {

class DrivenConnection {
 public:
  // The first choices are the settings and the state to begin in.
  explicit DrivenConnection(Input& input);
  DrivenConnection(const DrivenConnection&) = delete;
  DrivenConnection& operator=(const DrivenConnection&) = delete;
  // No packet may be missing then.
  ~DrivenConnection();

  // One step, chosen by the input.
  void step();
  bool is_over() const { return tcb_.state == State::closed || tcb_.state == State::time_wait; }

 private:
  using Seq = base::Seq;

  void reach(std::size_t state);
  void open_actively();
  void open_passively();
  void establish();

  // --- the peer
  base::Segment choose_segment();
  void choose_options(base::Segment& segment);
  Seq choose_seq();
  Seq choose_ack();
  std::uint32_t choose_distance();
  void arrive(base::Segment segment, std::size_t length);
  void icmp();

  // --- the application
  void call();
  void send(std::size_t length);
  void send_packet(std::size_t length);
  void take(std::size_t bytes);
  void close_within(std::uint32_t ticks);
  void deliver(std::span<const std::byte> text);

  void wait();
  void expire();
  void hog();

  void after(bool may_have_output);
  void output();
  void check_sent(const tcp::Outgoing& out);
  void check_rest();
  void see_edge();

  Input& input_;
  StackConfig config_;
  tcp::Parameters parameters_;
  drivers::SimPool pool_;
  std::optional<base::PacketCache> cache_;
  base::LiveCounters counters_;
  base::Slab<tcp::Transfer> transfers_;
  tcp::Context context_;
  tcp::Tcb tcb_{};
  std::vector<base::Packet> hogged_;
  bool stalls_ = false;  // the application takes nothing
  Seq irs_;              // the peer's SYN
  Seq taken_;            // the number of the next byte to be delivered
  State last_state_ = State::syn_sent;
  std::optional<Seq> offered_edge_;  // of the window that we offered last
  std::optional<Seq> peer_edge_;     // of the largest that the peer offered
};

}  // namespace handfast::fuzz
