// What crosses from one thread to another: mailbox, ring, stop signal.
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "runtime/mailbox.hpp"
#include "runtime/spsc_ring.hpp"
#include "runtime/stop_signal.hpp"

namespace handfast::runtime {
namespace {

// The mailbox only passes the worker on.
Worker& no_worker() {
  alignas(Worker) static std::byte place[sizeof(Worker)];
  return *reinterpret_cast<Worker*>(place);
}

TEST(MailboxTest, RunsInOrderOnce) {
  Mailbox mailbox;
  std::vector<int> ran;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(mailbox.post([&ran, i](Worker&) { ran.push_back(i); }));
  EXPECT_EQ(mailbox.run_all(no_worker()), 3U);
  EXPECT_EQ(mailbox.run_all(no_worker()), 0U);
  EXPECT_EQ(ran, (std::vector{0, 1, 2}));
}

TEST(MailboxTest, TaskPostedByATaskWaitsForTheNextTurn) {
  Mailbox mailbox;
  int ran = 0;
  mailbox.post([&](Worker&) { mailbox.post([&](Worker&) { ++ran; }); });
  mailbox.run_all(no_worker());
  EXPECT_EQ(ran, 0);
  mailbox.run_all(no_worker());
  EXPECT_EQ(ran, 1);
}

TEST(MailboxTest, IsBounded) {
  Mailbox mailbox;
  for (std::size_t i = 0; i < Mailbox::kTasksMax; ++i) ASSERT_TRUE(mailbox.post([](Worker&) {}));
  EXPECT_FALSE(mailbox.post([](Worker&) {}));
  mailbox.run_all(no_worker());
  EXPECT_TRUE(mailbox.post([](Worker&) {}));
}

TEST(MailboxTest, CloseDestroysWhatWaitsAndRefusesTheRest) {
  Mailbox mailbox;
  const auto token = std::make_shared<int>();
  mailbox.post([token](Worker&) {});
  EXPECT_EQ(token.use_count(), 2);
  mailbox.close();
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_FALSE(mailbox.post([](Worker&) {}));
}

TEST(SpscRingTest, FullAndEmpty) {
  SpscRing<int> ring(4);
  std::array<int, 8> out{};
  EXPECT_EQ(ring.pop(out), 0U);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(ring.push(i));
  EXPECT_FALSE(ring.push(4));
  EXPECT_EQ(ring.pop(std::span{out}.first(1)), 1U);
  EXPECT_TRUE(ring.push(4));
  ASSERT_EQ(ring.pop(out), 3U) << "what was there at the last look";
  ASSERT_EQ(ring.pop(std::span{out}.subspan(3)), 1U);
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(out[3], 4);
}

TEST(SpscRingTest, OrderHoldsBetweenThreads) {
  constexpr std::uint32_t kCount = 200'000;
  SpscRing<std::uint32_t> ring(64);
  std::thread producer([&] {
    for (std::uint32_t i = 0; i < kCount;) {
      if (ring.push(i)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::array<std::uint32_t, 32> out{};
  std::uint32_t expected = 0;
  bool in_order = true;
  while (expected < kCount) {
    const std::size_t count = ring.pop(out);
    for (std::size_t i = 0; i < count; ++i) in_order = in_order && out[i] == expected++;
    if (count == 0) std::this_thread::yield();
  }
  producer.join();
  EXPECT_TRUE(in_order);
}

TEST(StopSignalTest, TimesOutThenStaysSet) {
  StopSignal signal;
  EXPECT_FALSE(signal.wait(std::chrono::milliseconds(1)));
  signal.set();
  EXPECT_TRUE(signal.wait(Duration::zero()));
  EXPECT_TRUE(signal.wait(Duration::max()));
}

TEST(StopSignalTest, WakesAllWhoWait) {
  StopSignal signal;
  std::thread first([&] { EXPECT_TRUE(signal.wait(Duration::max())); });
  std::thread second([&] { EXPECT_TRUE(signal.wait(Duration::max())); });
  signal.set();
  first.join();
  second.join();
}

}  // namespace
}  // namespace handfast::runtime
