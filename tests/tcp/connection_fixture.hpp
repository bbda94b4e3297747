// ConnectionTest: one Tcb, a clock that stands still until told, and a peer played by the test.
// States build on each other: established(), then close_wait(). The peer's numbers start at
// kPeerIss, ours at kIss.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/link/link.hpp"
#include "tcp/half_open.hpp"
#include "tcp/output.hpp"
#include "tcp/segment_arrives.hpp"
#include "tcp/timeouts.hpp"
#include "tcp/transfer_pool.hpp"
#include "tcp/user_calls.hpp"

namespace handfast::tcp {

using base::kAck;
using base::kFin;
using base::kPsh;
using base::kRst;
using base::kSyn;
using base::Segment;
using base::TcpOptions;

inline constexpr std::uint32_t kIss = 1000;
inline constexpr std::uint32_t kPeerIss = 70'000;

struct Sent {
  Segment segment;
  std::string payload;
};

class ConnectionTest : public ::testing::Test {
 public:
  ConnectionTest() {
    EXPECT_TRUE(transfers.reserve(4));
    restart();
  }
  ~ConnectionTest() override {
    drop_queues();
    EXPECT_TRUE(cache_returned_everything());
  }

  // Takes a changed `config` into use, with a fresh Tcb.
  void restart() {
    drop_queues();
    parameters = Parameters::from(config, 0);
    tcb = Tcb{};
    tcb.congestion = parameters.congestion;
    tcb.nagle = parameters.nagle;
    context.set_time(context.now);
  }

  // --- the peer
  static Segment make(std::uint8_t flags, std::uint32_t seq, std::uint32_t ack = 0,
                      std::uint16_t window = 60'000) {
    Segment segment;
    segment.flags = flags;
    segment.seq = Seq{seq};
    segment.ack = Seq{ack};
    segment.window = window;
    return segment;
  }
  Arrival arrive(const Segment& segment, std::string_view payload = {}) {
    base::Packet packet;
    EXPECT_TRUE(cache.allocate(packet));
    std::byte* const text = packet.data + 54;
    std::ranges::copy(std::as_bytes(std::span{payload}), text);
    packet.length = static_cast<std::uint32_t>(54 + payload.size());
    Segment with_text = segment;
    with_text.payload = {text, payload.size()};
    Arrival arrival = segment_arrives(tcb, with_text, packet, context);
    delivered.append(reinterpret_cast<const char*>(arrival.text.data()), arrival.text.size());
    if (!arrival.packet_kept) cache.free(packet);
    if (arrival.text_queued && takes_data) take_queued();
    arrival.text = {};
    return arrival;
  }
  void take_queued() {
    while (!tcb.receive_queue.is_empty()) {
      QueuedPacket* const first = tcb.receive_queue.pop_front();
      delivered.append(reinterpret_cast<const char*>(first->text), first->length);
      tcb.receive_held -= first->length;
      cache.free(first->packet);
    }
  }

  // --- our side
  std::vector<Sent> output() {
    std::vector<Sent> sent;
    Outgoing next;
    while (has_output(tcb) && next_segment(tcb, context, next)) {
      const Segment& segment = next.segment;
      sent.push_back({segment, std::string(reinterpret_cast<const char*>(segment.payload.data()),
                                           segment.payload.size())});
      sent.back().segment.payload = {};
    }
    finish_output(tcb, context);
    return sent;
  }
  std::size_t queue(std::string_view text) {
    return tcp::send(tcb, std::as_bytes(std::span{text}), context).value_or(0);
  }
  // Moves the clock; fires the timer as often as it comes due on the way.
  Timeouts wait(Duration duration) {
    const Instant until = context.now + duration;
    Timeouts all;
    while (tcb.state != State::closed) {
      const Tick deadline = next_deadline(tcb);
      if (!base::is_due(deadline, base::tick_of(until))) break;
      const auto ahead = static_cast<std::int32_t>(deadline - context.tick);
      context.set_time(
          std::max(context.now, Instant::from_ns(((context.now.ns() >> 16) + ahead) << 16)));
      const Timeouts timeouts = timer_expired(tcb, context);
      all.gave_up |= timeouts.gave_up;
      all.application |= timeouts.application;
      for (Sent& s : output()) sent_by_timer.push_back(std::move(s));
    }
    context.set_time(until);
    return all;
  }

  // --- states
  void syn_sent() {
    open(tcb, key, Seq{kIss}, context);
    const auto sent = output();
    ASSERT_EQ(sent.size(), 1U);
    ASSERT_EQ(sent[0].segment.flags, kSyn);
    ASSERT_EQ(tcb.state, State::syn_sent);
  }
  void established(std::uint16_t window = 60'000) {
    syn_sent();
    ASSERT_TRUE(arrive(make(kSyn | kAck, kPeerIss, kIss + 1, window)).established);
    ASSERT_EQ(output().size(), 1U);
    ASSERT_EQ(tcb.state, State::established);
  }
  void close_wait() {
    established();
    arrive(make(kFin | kAck, kPeerIss + 1, kIss + 1));
    ASSERT_EQ(tcb.state, State::close_wait);
    output();
  }
  void fin_wait_1() {
    established();
    ASSERT_TRUE(close(tcb));
    ASSERT_EQ(output().size(), 1U);
    ASSERT_EQ(tcb.state, State::fin_wait_1);
  }
  void fin_wait_2() {
    fin_wait_1();
    arrive(make(kAck, kPeerIss + 1, kIss + 2));
    ASSERT_EQ(tcb.state, State::fin_wait_2);
  }
  void closing() {
    fin_wait_1();
    arrive(make(kFin | kAck, kPeerIss + 1, kIss + 1));
    ASSERT_EQ(tcb.state, State::closing);
    output();
  }
  void last_ack() {
    close_wait();
    ASSERT_TRUE(close(tcb));
    ASSERT_EQ(output().size(), 1U);
    ASSERT_EQ(tcb.state, State::last_ack);
  }
  void syn_received() {
    syn_sent();
    arrive(make(kSyn, kPeerIss));
    ASSERT_EQ(tcb.state, State::syn_received);
  }

  StackConfig config = [] {
    StackConfig c;
    c.timestamps = false;
    c.window_scaling = false;
    c.sack = false;
    c.send_buffer_max = c.receive_buffer_max = 1;  // buffers stay as they begin
    c.delayed_ack = Duration(0);
    c.congestion_control = CongestionControl::new_reno;
    return c;
  }();
  base::FlowKey key{.local = Address::v4(0xc6120001),
                    .remote = Address::v4(0xc6120002),
                    .local_port = 40'000,
                    .remote_port = 80};
  drivers::SimPool pool{1024};
  base::PacketCache cache{pool};
  base::LiveCounters counters;
  Parameters parameters{};
  base::Slab<Transfer> transfers;
  Context context{.parameters = parameters,
                  .packets = cache,
                  .counters = counters,
                  .transfers = transfers,
                  .now = Instant::from_ns(5'000'000'000)};
  Tcb tcb{};
  std::string delivered;
  std::vector<Sent> sent_by_timer;
  bool takes_data = true;

 private:
  void drop_queues() {
    tcb.send_queue.clear(cache);
    give_transfer_back(tcb, context);
    tcb.receive_queue.clear(cache);
    tcb.reassembly.clear(cache);
  }
  bool cache_returned_everything() {
    cache.flush_freed();
    return pool.outstanding() <= 32;  // the cache's own stock
  }
};

}  // namespace handfast::tcp
