// The receiving side of selective acknowledgement: the examples of RFC 2018 and RFC 2883, the order
// and number of blocks, and reassembly against a model that keeps a byte array.

#include <map>
#include <optional>
#include <random>

#include "connection_fixture.hpp"
#include "tcp/receive_window.hpp"

namespace handfast::tcp {
namespace {

// Numbers as in the RFCs' tables: ours are shifted so that `first_` is RCV.NXT.
class SackReceiver : public ConnectionTest {
 public:
  using Range = std::pair<std::uint32_t, std::uint32_t>;

  void start(std::uint32_t first, bool timestamps = false) {
    config.sack = true;
    config.timestamps = timestamps;
    restart();
    syn_sent();
    Segment syn_ack = make(kSyn | kAck, kPeerIss, kIss + 1);
    syn_ack.options.present =
        TcpOptions::kSackPermitted | TcpOptions::kMss | (timestamps ? TcpOptions::kTimestamps : 0);
    syn_ack.options.mss = 1460;
    ASSERT_TRUE(arrive(syn_ack).established);
    ASSERT_TRUE(tcb.sack);
    output();
    first_ = first;
  }
  Seq at(std::uint32_t number) const { return Seq{kPeerIss + 1 + (number - first_)}; }
  std::uint32_t number_of(Seq seq) const { return seq.raw() - kPeerIss - 1 + first_; }

  Arrival receive(std::uint32_t from, std::uint32_t to, std::uint8_t flags = kAck,
                  char fill = 'x') {
    Segment segment = make(flags, at(from).raw(), kIss + 1);
    segment.options.present = tcb.timestamps ? TcpOptions::kTimestamps : 0;
    return arrive(segment, std::string(to - from, fill));
  }
  std::vector<Range> blocks_of(const Segment& segment) const {
    std::vector<Range> blocks;
    for (std::size_t i = 0; i < segment.options.sack_count; ++i) {
      blocks.emplace_back(number_of(segment.options.sack[i].left),
                          number_of(segment.options.sack[i].right));
    }
    return blocks;
  }

  struct Step {
    Range received;
    std::uint32_t ack;
    std::vector<Range> blocks;
  };
  void expect_steps(const std::vector<Step>& steps) {
    for (const Step& step : steps) {
      SCOPED_TRACE(testing::Message() << step.received.first << "-" << step.received.second);
      receive(step.received.first, step.received.second);
      const auto sent = output();
      ASSERT_EQ(sent.size(), 1U);
      EXPECT_EQ(number_of(sent[0].segment.ack), step.ack);
      EXPECT_EQ(blocks_of(sent[0].segment), step.blocks);
    }
  }

  std::uint32_t first_ = 0;
};

// --- RFC 2018 section 4: segments of 500 bytes, the first is 5000

TEST_F(SackReceiver, Rfc2018Case1TheFirstFourArriveAndTheLastFourAreLost) {
  start(5000);
  expect_steps({{{5000, 5500}, 5500, {}},
                {{5500, 6000}, 6000, {}},
                {{6000, 6500}, 6500, {}},
                {{6500, 7000}, 7000, {}}});
}

TEST_F(SackReceiver, Rfc2018Case2TheFirstIsLost) {
  start(5000);
  expect_steps({{{5500, 6000}, 5000, {{5500, 6000}}},
                {{6000, 6500}, 5000, {{5500, 6500}}},
                {{6500, 7000}, 5000, {{5500, 7000}}},
                {{7000, 7500}, 5000, {{5500, 7500}}},
                {{7500, 8000}, 5000, {{5500, 8000}}},
                {{8000, 8500}, 5000, {{5500, 8500}}},
                {{8500, 9000}, 5000, {{5500, 9000}}}});
}

TEST_F(SackReceiver, Rfc2018Case3EverySecondIsLostThenTheFourthAndTheSecondArrive) {
  start(5000);
  expect_steps({{{5000, 5500}, 5500, {}},
                {{6000, 6500}, 5500, {{6000, 6500}}},
                {{7000, 7500}, 5500, {{7000, 7500}, {6000, 6500}}},
                {{8000, 8500}, 5500, {{8000, 8500}, {7000, 7500}, {6000, 6500}}},
                {{6500, 7000}, 5500, {{6000, 7500}, {8000, 8500}}},
                {{5500, 6000}, 7500, {{8000, 8500}}}});
}

// --- RFC 2883 section 4

TEST_F(SackReceiver, Rfc2883Example1ADuplicateSegment) {
  start(3000);
  expect_steps(
      {{{3000, 3500}, 3500, {}}, {{3500, 4000}, 4000, {}}, {{3000, 3500}, 4000, {{3000, 3500}}}});
}

TEST_F(SackReceiver, Rfc2883Example2AnOutOfOrderSegmentAndADuplicate) {
  start(3000);
  expect_steps({{{3000, 3500}, 3500, {}},
                {{3500, 4000}, 4000, {}},
                {{4500, 5000}, 4000, {{4500, 5000}}},
                {{3000, 3500}, 4000, {{3000, 3500}, {4500, 5000}}}});
}

TEST_F(SackReceiver, Rfc2883Example3ADuplicateOfAnOutOfOrderSegment) {
  start(3500);
  expect_steps({{{3500, 4000}, 4000, {}},
                {{4500, 5000}, 4000, {{4500, 5000}}},
                {{5000, 5500}, 4000, {{4500, 5500}}},
                {{5000, 5500}, 4000, {{5000, 5500}, {4500, 5500}}}});
}

TEST_F(SackReceiver, Rfc2883Example4ADuplicateSubsegment) {
  start(500);
  expect_steps({{{500, 1000}, 1000, {}},
                {{2000, 2500}, 1000, {{2000, 2500}}},
                {{1000, 1500}, 1500, {{2000, 2500}}},
                {{1000, 2000}, 2500, {{1000, 1500}}}});
}

TEST_F(SackReceiver, Rfc2883Example5TwoDuplicateSubsegmentsBelowTheAcknowledgement) {
  start(500);
  expect_steps({{{500, 1000}, 1000, {}},
                {{3000, 3500}, 1000, {{3000, 3500}}},
                {{1000, 1500}, 1500, {{3000, 3500}}},
                {{2000, 2500}, 1500, {{2000, 2500}, {3000, 3500}}},
                {{1000, 2500}, 2500, {{1000, 1500}, {3000, 3500}}}});
}

TEST_F(SackReceiver, Rfc2883Example6TwoDuplicateSubsegmentsAboveTheAcknowledgement) {
  start(500);
  expect_steps({{{500, 1000}, 1000, {}},
                {{3500, 4000}, 1000, {{3500, 4000}}},
                {{1500, 2000}, 1000, {{1500, 2000}, {3500, 4000}}},
                {{2500, 3000}, 1000, {{2500, 3000}, {1500, 2000}, {3500, 4000}}},
                {{1500, 3000}, 1000, {{1500, 2000}, {1500, 3000}, {3500, 4000}}}});
}

// --- what the RFCs leave open

TEST_F(SackReceiver, ADuplicateIsToldOfOnce) {
  start(0);
  receive(0, 500);
  receive(0, 500);
  ASSERT_EQ(output().size(), 1U);
  receive(500, 600);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].segment.options.sack_count, 0);
}

TEST_F(SackReceiver, DuplicatesInARowAreOneRange) {
  start(0);
  for (std::uint32_t i = 0; i < 8; ++i) receive(i * 500, i * 500 + 500);
  output();
  for (std::uint32_t i = 2; i < 8; ++i) receive(i * 500, i * 500 + 500);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(blocks_of(sent[0].segment), (std::vector<Range>{{1000, 4000}}));
}

TEST_F(SackReceiver, ADuplicateDoesNotHideWhatArrivedWithIt) {
  start(0);
  for (const std::uint32_t from : {1000U, 2000U, 3000U}) receive(from, from + 500);
  output();
  receive(1000, 1500);
  receive(4000, 4500);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(blocks_of(sent[0].segment),
            (std::vector<Range>{{1000, 1500}, {1000, 1500}, {4000, 4500}, {3000, 3500}}));
}

TEST_F(SackReceiver, FourBlocksFitAndThreeWithTimestamps) {
  for (const bool timestamps : {false, true}) {
    start(0, timestamps);
    for (std::uint32_t i = 1; i <= 6; ++i) {
      receive(i * 1000, i * 1000 + 500);
      const auto sent = output();
      ASSERT_EQ(sent.size(), 1U);
      EXPECT_EQ(sent[0].segment.options.sack_count, std::min(i, timestamps ? 3U : 4U));
    }
  }
}

TEST_F(SackReceiver, NothingIsSaidWithoutAgreement) {
  established();
  ASSERT_FALSE(tcb.sack);
  receive(1000, 1500);
  receive(1000, 1500);
  for (const Sent& s : output()) EXPECT_EQ(s.segment.options.sack_count, 0);
}

// What came in one burst is acknowledged at its end: every run must be told of all the same.
TEST_F(SackReceiver, ABurstOfManyGapsIsReportedWhole) {
  start(0);
  std::map<std::uint32_t, std::uint32_t> told;
  for (std::uint32_t i = 1; i <= 13; ++i) receive(i * 1000, i * 1000 + 500);
  const auto sent = output();
  EXPECT_EQ(sent.size(), 4U);
  for (const Sent& s : sent) {
    for (const auto& [left, right] : blocks_of(s.segment)) told[left] = right;
  }
  EXPECT_EQ(told.size(), 13U);
}

TEST_F(SackReceiver, ABurstBehindOneGapTakesOneAck) {
  start(0);
  for (std::uint32_t i = 1; i <= 30; ++i) receive(i * 500, i * 500 + 500);
  EXPECT_EQ(output().size(), 1U);
}

TEST_F(SackReceiver, BlocksRideOnDataOnlyWhereTheyFit) {
  start(0);
  receive(1000, 1500);
  receive(2000, 2500);
  output();
  receive(3000, 3500);
  ASSERT_EQ(queue(std::string(1460 - 4 - 16, 'd')), 1440U);  // room for two
  auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload.size(), 1440U);
  EXPECT_EQ(blocks_of(sent[0].segment), (std::vector<Range>{{3000, 3500}, {2000, 2500}}));

  receive(4000, 4500);
  ASSERT_EQ(queue(std::string(1460, 'd')), 1460U);
  sent = output();
  ASSERT_EQ(sent.size(), 2U);  // the report may not wait for room
  EXPECT_EQ(sent[0].payload.size(), 1460U);
  EXPECT_EQ(sent[0].segment.options.sack_count, 0);
  EXPECT_EQ(sent[1].payload, "");
  EXPECT_EQ(blocks_of(sent[1].segment)[0], (Range{4000, 4500}));
}

TEST_F(SackReceiver, AFinBeyondTheGapIsInItsBlock) {
  start(0);
  receive(500, 1000, kAck | kFin);
  auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(blocks_of(sent[0].segment), (std::vector<Range>{{500, 1001}}));
  receive(0, 500);
  EXPECT_EQ(tcb.state, State::close_wait);
  sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(number_of(sent[0].segment.ack), 1001U);
  EXPECT_EQ(sent[0].segment.options.sack_count, 0);
}

TEST_F(SackReceiver, ALoneFinJoinsTheTextBeforeIt) {
  start(0);
  receive(1000, 1000, kAck | kFin);
  EXPECT_EQ(tcb.reassembly_count, 1);
  receive(500, 1000);
  EXPECT_EQ(tcb.reassembly_count, 1);
  receive(1000, 1200);  // text where the FIN stood came second
  receive(0, 500);
  EXPECT_EQ(tcb.state, State::close_wait);
  EXPECT_EQ(delivered.size(), 1000U);
}

TEST_F(SackReceiver, AFinWhereTextStandsAlreadyIsNotTaken) {
  start(0);
  receive(1000, 1500);
  receive(500, 1000, kAck | kFin);
  receive(0, 1000, kAck | kFin);
  EXPECT_EQ(tcb.state, State::established);
  EXPECT_EQ(delivered.size(), 1500U);
}

// A segment over several runs: its pieces fill the gaps, by copy but for the first.
TEST_F(SackReceiver, OneSegmentFillsManyGaps) {
  start(0);
  for (std::uint32_t i = 1; i <= 5; ++i) receive(i * 200, i * 200 + 100, kAck, 'a');
  receive(100, 1300, kAck, 'b');
  EXPECT_TRUE(delivered.empty());
  output();
  receive(0, 1400, kAck, 'c');
  std::string expected;
  for (const char c : std::string_view("cbabababababbc")) expected += std::string(100, c);
  EXPECT_EQ(delivered, expected);
  EXPECT_EQ(tcb.reassembly_count, 0);
}

// --- bounds

TEST_F(SackReceiver, TinySegmentsWithoutGapsShareBuffers) {
  start(0);
  for (std::uint32_t i = 0; i < 1500; ++i) receive(10 + i, 11 + i);
  EXPECT_EQ(tcb.reassembly_count, 1);
  receive(0, 10);
  EXPECT_EQ(delivered.size(), 1510U);
}

TEST_F(SackReceiver, SixtyThousandGapsAreBounded) {
  start(0);
  std::vector<std::uint32_t> order(30'000);
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = 1 + 2 * i;
  std::ranges::shuffle(order, std::mt19937{7});
  for (int round = 0; round < 2; ++round) {
    for (const std::uint32_t from : order) receive(from, from + 1);
    EXPECT_LE(output().size(), 256U / 4 + 1);
  }
  EXPECT_EQ(tcb.reassembly_count, reassembly_packets_max(parameters));
  EXPECT_GT(counters.out_of_order_dropped.value(), 29'000U);
  EXPECT_EQ(tcb.rcv_nxt, at(0));
}

TEST_F(SackReceiver, ALowPoolDropsTextBeyondAGapAndNotTextInOrder) {
  start(0);
  config.receive_buffer_max = 8 << 20;
  std::vector<base::Packet> taken(pool.capacity());
  taken.resize(pool.allocate(std::span{taken}.first(pool.capacity() - 140)));
  std::vector<base::Packet> stock(40);  // the cache looks at the pool when it refills
  for (base::Packet& packet : stock) ASSERT_TRUE(cache.allocate(packet));
  receive(500, 1000);
  EXPECT_EQ(tcb.reassembly_count, 0);
  EXPECT_EQ(counters.out_of_order_dropped.value(), 1U);
  receive(0, 500);
  EXPECT_EQ(delivered.size(), 500U);
  for (const base::Packet& packet : stock) cache.free(packet);
  pool.free(taken);
}

// RFC 2018 section 8: what a SACK block has told of may still be discarded.
TEST_F(SackReceiver, ScarcePacketsAreGivenBackForTheTextThatIsMissingOnly) {
  start(0);
  receive(500, 1000);
  receive(1500, 2000);
  const auto make_room = [&](std::uint32_t from, std::uint32_t to) {
    const std::string text(to - from, 'x');
    Segment segment = make(kAck, at(from).raw(), kIss + 1);
    segment.payload = std::as_bytes(std::span{text});
    make_room_for(segment, tcb, context);
  };
  make_room(1, 1500);
  EXPECT_EQ(tcb.reassembly_count, 2);
  EXPECT_EQ(counters.out_of_order_given_up.value(), 0U);
  make_room(0, 1);
  EXPECT_EQ(tcb.reassembly_count, 0);
  EXPECT_TRUE(tcb.reassembly.is_empty());
  EXPECT_EQ(counters.out_of_order_given_up.value(), 2U);

  for (const Sent& sent : output()) EXPECT_EQ(sent.segment.options.sack_count, 0U);
  expect_steps({{{2500, 3000}, 0, {{2500, 3000}}}, {{0, 500}, 500, {{2500, 3000}}}});
  receive(500, 2500);
  EXPECT_EQ(delivered.size(), 3000U);
}

// --- a model: a byte is what arrived first for it

class ReassemblyModel : public SackReceiver {
 public:
  static constexpr std::uint32_t kLength = 6000;

  void receive_modelled(std::uint32_t from, const std::string& text) {
    Segment segment = make(kAck, at(from).raw(), kIss + 1);
    arrive(segment, text);
    for (std::uint32_t i = 0; i < text.size(); ++i) {
      auto& byte = model_[from + i];
      if (!byte) byte = text[i];
    }
  }
  std::string in_order() const {
    std::string text;
    for (const auto& byte : model_) {
      if (!byte) break;
      text += *byte;
    }
    return text;
  }
  std::vector<Range> runs() const {
    std::vector<Range> runs;
    const auto next = static_cast<std::uint32_t>(in_order().size());
    for (std::uint32_t i = next; i < kLength; ++i) {
      if (!model_[i]) continue;
      if (runs.empty() || runs.back().second != i) runs.emplace_back(i, i);
      runs.back().second = i + 1;
    }
    return runs;
  }
  std::vector<Range> kept_runs() const {
    std::vector<Range> runs;
    const QueuedPacket* run = tcb.reassembly.lowest();
    while (run != nullptr) {
      runs.emplace_back(number_of(run->seq), number_of(run->run_end));
      std::uint32_t packets = 1;
      for (const QueuedPacket* p = run; p != run->run_last; p = p->next) ++packets;
      EXPECT_EQ(packets, run->run_packets);
      run = tcb.reassembly.starting_after(run->seq);
    }
    return runs;
  }
  std::vector<std::optional<char>> model_ = std::vector<std::optional<char>>(kLength);
};

TEST_F(ReassemblyModel, EveryByteIsWhatArrivedFirst) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random{seed};
    start(0);
    delivered.clear();
    model_.assign(kLength, std::nullopt);
    takes_data = seed % 2 == 0;
    const std::uint32_t longest = seed % 3 == 0 ? 1400 : seed % 3 == 1 ? 40 : 300;
    for (int i = 0; i < 250; ++i) {
      const auto from = static_cast<std::uint32_t>(random() % kLength);
      const auto length = std::min<std::uint32_t>(
          1 + static_cast<std::uint32_t>(random()) % longest, kLength - from);
      std::string text(length, ' ');
      for (char& c : text) c = static_cast<char>('a' + random() % 26);
      receive_modelled(from, text);
      ASSERT_EQ(number_of(tcb.rcv_nxt), in_order().size());
      ASSERT_EQ(kept_runs(), runs());
    }
    receive_modelled(0, std::string(1400, '0'));
    for (std::uint32_t from = 0; from < kLength; from += 1000) {
      receive_modelled(from, std::string(1000, '1'));
    }
    take_queued();
    EXPECT_EQ(delivered, in_order());
    EXPECT_EQ(delivered.size(), kLength);
    EXPECT_EQ(tcb.reassembly_count, 0);
    EXPECT_EQ(tcb.receive_held, 0U);
  }
}

}  // namespace
}  // namespace handfast::tcp
