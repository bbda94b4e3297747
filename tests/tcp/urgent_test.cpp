// Urgent data: RFC 9293 section 3.8.5 as RFC 6093 reads it.

#include "tcp/urgent.hpp"

#include "connection_fixture.hpp"

namespace handfast::tcp {
namespace {

class Urgent : public ConnectionTest {
 public:
  Segment with_pointer(std::uint32_t seq, std::uint16_t pointer, std::uint32_t ack = kIss + 1) {
    Segment segment = make(kAck | base::kUrg, seq, ack);
    segment.urgent = pointer;
    return segment;
  }
};

TEST_F(Urgent, TextIsDeliveredInLine) {
  established();
  const Arrival arrival = arrive(with_pointer(kPeerIss + 1, 3), "abcdef");
  EXPECT_TRUE(arrival.urgent);
  EXPECT_EQ(delivered, "abcdef");
  EXPECT_EQ(urgent_bytes(tcb), 0U);  // all of it is with the application
}

// MUST-32: at the first mark, and whenever it advances; not for each segment that repeats it.
TEST_F(Urgent, TheApplicationIsToldOfEachAdvance) {
  established();
  EXPECT_TRUE(arrive(with_pointer(kPeerIss + 1, 100), "abc").urgent);
  EXPECT_FALSE(arrive(with_pointer(kPeerIss + 4, 97), "def").urgent);
  EXPECT_FALSE(arrive(with_pointer(kPeerIss + 7, 10), "ghi").urgent);  // never back
  EXPECT_TRUE(arrive(with_pointer(kPeerIss + 10, 92), "jkl").urgent);
  EXPECT_EQ(urgent_bytes(tcb), 89U);
}

// MUST-33: how much is still to come.
TEST_F(Urgent, BytesBeforeTheMarkCountDown) {
  established();
  takes_data = false;
  arrive(with_pointer(kPeerIss + 1, 8));  // no text at all: the mark goes ahead of it
  EXPECT_EQ(urgent_bytes(tcb), 8U);
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "abcde");
  EXPECT_EQ(urgent_bytes(tcb), 3U);
  arrive(make(kAck, kPeerIss + 6, kIss + 1), "fghij");
  EXPECT_EQ(urgent_bytes(tcb), 0U);
  EXPECT_FALSE(tcb.urgent_ahead);
}

TEST_F(Urgent, TextNotTakenYetIsStillToCome) {
  established();
  takes_data = false;
  base::Packet packet;
  ASSERT_TRUE(cache.allocate(packet));
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "ab");
  hold_text(tcb, packet, {packet.data, 2});
  EXPECT_TRUE(arrive(with_pointer(kPeerIss + 3, 2), "cdef").urgent);
  EXPECT_EQ(urgent_bytes(tcb), 4U);
  take_queued();
  EXPECT_EQ(urgent_bytes(tcb), 0U);
}

TEST_F(Urgent, AMarkBehindWhatWasTakenSaysNothing) {
  established();
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "abcdef");
  EXPECT_FALSE(arrive(with_pointer(kPeerIss + 1, 6), "abcdef").urgent);
  EXPECT_FALSE(arrive(with_pointer(kPeerIss + 7, 0), "g").urgent);
  EXPECT_EQ(tcb.transfer, nullptr);
}

// The pointer counts from the number the segment had before its old part was trimmed.
TEST_F(Urgent, APointerOfAHalfOldSegmentIsRight) {
  established();
  arrive(make(kAck, kPeerIss + 1, kIss + 1), "abc");
  EXPECT_TRUE(arrive(with_pointer(kPeerIss + 1, 10), "abcdef").urgent);
  EXPECT_EQ(urgent_bytes(tcb), 4U);
}

// MUST-66: also while the window is closed.
TEST_F(Urgent, AClosedWindowLetsTheMarkIn) {
  config.receive_buffer = 1000;
  config.receive_buffer_max = 1000;
  restart();
  established();
  takes_data = false;
  base::Packet packet;
  ASSERT_TRUE(cache.allocate(packet));
  hold_text(tcb, packet, {packet.data, 1000});
  tcb.rcv_nxt += 1000;
  ASSERT_EQ(tcb.rcv_wnd(), 0U);
  EXPECT_TRUE(arrive(with_pointer(tcb.rcv_nxt.raw(), 5), "probe").urgent);
  EXPECT_EQ(urgent_bytes(tcb), 1005U);
}

TEST_F(Urgent, AfterThePeersFinThereIsNone) {
  close_wait();
  EXPECT_FALSE(arrive(with_pointer(kPeerIss + 2, 5)).urgent);
}

TEST_F(Urgent, WithoutATransferTextStillArrives) {
  established();
  while (transfers.allocate()) {
  }
  EXPECT_FALSE(arrive(with_pointer(kPeerIss + 1, 100), "abc").urgent);
  EXPECT_EQ(delivered, "abc");
  EXPECT_FALSE(mark_urgent(tcb, context));
}

// --- sending

TEST_F(Urgent, SegmentsUpToTheMarkPointBehindItsLastByte) {
  established();
  ASSERT_EQ(queue(std::string(1000, 'u')), 1000U);
  ASSERT_TRUE(mark_urgent(tcb, context));
  ASSERT_EQ(queue(std::string(500, 'n')), 500U);
  const auto sent = output();
  ASSERT_EQ(sent.size(), 3U);  // of 536 bytes each at most
  EXPECT_TRUE(sent[0].segment.has(base::kUrg));
  EXPECT_EQ(sent[0].segment.urgent, 1000);
  EXPECT_TRUE(sent[1].segment.has(base::kUrg));
  EXPECT_EQ(sent[1].segment.seq + sent[1].segment.urgent, Seq{kIss + 1001});
  EXPECT_FALSE(sent[2].segment.has(base::kUrg));
  EXPECT_EQ(sent[2].segment.urgent, 0);
}

TEST_F(Urgent, AnAcknowledgedMarkIsForgotten) {
  established();
  ASSERT_EQ(queue("urgent"), 6U);
  ASSERT_TRUE(mark_urgent(tcb, context));
  output();
  arrive(make(kAck, kPeerIss + 1, kIss + 7), "text");
  const auto sent = output();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_FALSE(sent[0].segment.has(base::kUrg));
  EXPECT_FALSE(tcb.transfer->sends_urgent);
}

TEST_F(Urgent, AFarMarkIsPointedToAsFarAsTheFieldReaches) {
  established();
  ASSERT_EQ(queue(std::string(100'000, 'u')), 100'000U);
  ASSERT_TRUE(mark_urgent(tcb, context));
  Segment segment;
  segment.seq = tcb.snd_una;
  add_urgent_pointer(tcb, segment);
  EXPECT_EQ(segment.urgent, 0xffff);
  segment.seq = tcb.snd_una + 99'999;
  add_urgent_pointer(tcb, segment);
  EXPECT_EQ(segment.urgent, 1);
  Segment behind;
  behind.seq = tcb.snd_una + 100'000;
  add_urgent_pointer(tcb, behind);
  EXPECT_FALSE(behind.has(base::kUrg));
}

}  // namespace
}  // namespace handfast::tcp
