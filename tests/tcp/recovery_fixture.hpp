// RecoveryTest: a flight of full segments, and the ACKs of a peer with SACK. Segments are numbered
// from 1: segment n holds the n-th MSS bytes.
#pragma once

#include "connection_fixture.hpp"

namespace handfast::tcp {

using namespace std::chrono_literals;

class RecoveryTest : public ConnectionTest {
 public:
  RecoveryTest() {
    config.sack = true;
    config.send_buffer = 1 << 20;
    restart();
  }

  // Established with a round trip of 20 ms, and `segments` full ones in flight.
  void send_flight(std::uint32_t segments) {
    open(tcb, key, Seq{iss}, context);
    output();
    wait(20ms);
    Segment syn_ack = make(kSyn | kAck, kPeerIss, iss + 1);
    syn_ack.options.present = TcpOptions::kMss | TcpOptions::kSackPermitted;
    if (config.timestamps) syn_ack.options.present |= TcpOptions::kTimestamps;
    syn_ack.options.mss = 1000;
    if (config.timestamps) syn_ack.options.mss += kTimestampOption;
    if (config.ecn == EcnMode::offer) syn_ack.flags |= base::kEce;
    arrive(syn_ack);
    ASSERT_TRUE(tcb.sack);
    ASSERT_EQ(tcb.snd_mss, 1000);
    output();
    queue(std::string(segments * 1000, 'x'));
    tcb.cwnd = segments * 1000;
    ASSERT_EQ(output().size(), segments);
  }

  Seq start_of(std::uint32_t segment) const { return Seq{iss + 1 + (segment - 1) * 1000}; }

  // Everything before segment `next` has arrived, and the blocks: first and last segment of each.
  Segment ack(std::uint32_t next,
              std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> blocks = {}) {
    Segment segment = make(kAck, kPeerIss + 1, start_of(next).raw());
    for (const auto& [first, last] : blocks) {
      segment.options.sack[segment.options.sack_count++] = {start_of(first), start_of(last + 1)};
    }
    if (config.timestamps) {
      segment.options.present |= TcpOptions::kTimestamps;
      segment.options.ts_echo = echoed;
    }
    return segment;
  }
  // The numbers of the segments that leave now.
  std::vector<std::uint32_t> sent_segments() { return numbers(output()); }
  std::vector<std::uint32_t> numbers(const std::vector<Sent>& sent) const {
    std::vector<std::uint32_t> out;
    for (const Sent& s : sent) {
      if (!s.payload.empty()) out.push_back((s.segment.seq - start_of(1)) / 1000 + 1);
    }
    return out;
  }
  using Numbers = std::vector<std::uint32_t>;

  std::uint32_t iss = kIss;
  std::uint32_t echoed = 0;
};

}  // namespace handfast::tcp
