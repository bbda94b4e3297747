// TIME-WAIT records: the order of their ends, places and chunks, and what restarts cost.
#include "table/time_wait_queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <limits>
#include <map>
#include <vector>

#include "base/random.hpp"

namespace handfast::table {
namespace {

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
constexpr std::uint32_t kChunk = TimeWaitQueue::kChunkRecords;

TimeWaitRecord record_of(std::uint32_t name, std::uint32_t deadline_ms) {
  TimeWaitRecord record{.remote = name};
  record.set_deadline_ms(deadline_ms);
  return record;
}

constexpr auto kIgnore = [](std::uint32_t, const TimeWaitRecord&) {};

std::vector<std::uint32_t> names_gone(TimeWaitQueue& queue, std::uint32_t now_ms,
                                      std::size_t budget = kNoLimit) {
  std::vector<std::uint32_t> names;
  queue.expire(
      now_ms,
      [&](std::uint32_t index, const TimeWaitRecord& record) {
        EXPECT_EQ(queue.at(index).remote, record.remote);
        names.push_back(record.remote);
      },
      budget);
  return names;
}

TEST(TimeWaitRecord, KeepsFlagsAndDeadlineApart) {
  TimeWaitRecord record;
  record.set_has_timestamps(true);
  record.set_deadline_ms(0xffffffff);
  EXPECT_EQ(record.deadline_ms(), TimeWaitRecord::kTimeMask);
  EXPECT_TRUE(record.has_timestamps());
  EXPECT_FALSE(record.is_live());
  record.set_has_timestamps(false);
  record.set_deadline_ms(5);
  EXPECT_EQ(record.deadline_ms(), 5U);
  EXPECT_FALSE(record.has_timestamps());
}

TEST(TimeWaitQueue, ExpiresInOrderAndNotBeforeTime) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(10));
  EXPECT_EQ(queue.next_deadline_ms(), std::nullopt);
  for (std::uint32_t i = 0; i < 5; ++i) ASSERT_TRUE(queue.push(record_of(i, 100 + i)));
  EXPECT_EQ(queue.next_deadline_ms(), 100U);
  EXPECT_TRUE(names_gone(queue, 99).empty());
  EXPECT_EQ(names_gone(queue, 102), (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(queue.next_deadline_ms(), 103U);
  EXPECT_EQ(names_gone(queue, 1000), (std::vector<std::uint32_t>{3, 4}));
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(queue.next_deadline_ms(), std::nullopt);
}

TEST(TimeWaitQueue, KeepsTheRecordAsPushed) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(10));
  TimeWaitRecord record{.local = 1,
                        .remote = 2,
                        .local_port = 3,
                        .remote_port = 4,
                        .snd_nxt = 5,
                        .rcv_nxt = 6,
                        .ts_recent = 7};
  record.set_deadline_ms(8);
  record.set_has_timestamps(true);
  const auto index = queue.push(record);
  ASSERT_TRUE(index);
  const TimeWaitRecord& held = queue.at(*index);
  EXPECT_TRUE(held.is_live());
  EXPECT_TRUE(held.has_timestamps());
  EXPECT_EQ(held.local + held.remote + held.local_port + held.remote_port, 10U);
  EXPECT_EQ(held.snd_nxt + held.rcv_nxt + held.ts_recent, 18U);
  EXPECT_EQ(held.deadline_ms(), 8U);
}

TEST(TimeWaitQueue, KeepsAddressesOfIpv6Whole) {
  TimeWaitQueueV6 queue;
  ASSERT_TRUE(queue.reserve(10));
  const Address local = Address::parse("2001:db8::1").value();
  const Address remote = Address::parse("2001:db8:0:0:8000::2").value();
  TimeWaitRecordV6 record{.local = local, .remote = remote, .local_port = 3, .remote_port = 4};
  record.set_deadline_ms(8);
  const auto index = queue.push(record);
  ASSERT_TRUE(index);
  EXPECT_EQ(queue.at(*index).local, local);
  EXPECT_EQ(queue.at(*index).remote, remote);
  std::size_t gone = 0;
  queue.expire(
      8, [&](std::uint32_t, const TimeWaitRecordV6& last) { gone += last.remote == remote; }, 10);
  EXPECT_EQ(gone, 1U);
}

TEST(TimeWaitQueue, GoesOnWhereItsBudgetEnded) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(10));
  for (std::uint32_t i = 0; i < 5; ++i) ASSERT_TRUE(queue.push(record_of(i, 100)));
  EXPECT_EQ(names_gone(queue, 100, 2), (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(names_gone(queue, 100, 2), (std::vector<std::uint32_t>{2, 3}));
  EXPECT_EQ(names_gone(queue, 100, 2), (std::vector<std::uint32_t>{4}));
}

TEST(TimeWaitQueue, SkipsTheErased) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(10));
  std::vector<std::uint32_t> at;
  for (std::uint32_t i = 0; i < 5; ++i) at.push_back(queue.push(record_of(i, 100)).value());
  queue.erase(at[0]);
  queue.erase(at[3]);
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_EQ(names_gone(queue, 100), (std::vector<std::uint32_t>{1, 2, 4}));
}

TEST(TimeWaitQueue, HoldsItsCapacityAndDropsTheOldestForMore) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(3));
  for (std::uint32_t i = 0; i < 3; ++i) ASSERT_TRUE(queue.push(record_of(i, 100)));
  EXPECT_EQ(queue.push(record_of(3, 100)), std::nullopt);
  std::uint32_t dropped = 99;
  const auto note = [&](std::uint32_t, const TimeWaitRecord& record) { dropped = record.remote; };
  EXPECT_TRUE(queue.drop_oldest(note));
  EXPECT_EQ(dropped, 0U);
  EXPECT_TRUE(queue.push(record_of(3, 100)));
  EXPECT_EQ(names_gone(queue, 100), (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_FALSE(queue.drop_oldest(note));
}

TEST(TimeWaitQueue, ComparesTimeAcrossTheWrap) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(10));
  constexpr std::uint32_t kEnd = TimeWaitRecord::kTimeMask;
  ASSERT_TRUE(queue.push(record_of(0, kEnd)));
  ASSERT_TRUE(queue.push(record_of(1, kEnd + 10)));
  EXPECT_TRUE(names_gone(queue, kEnd - 1).empty());
  EXPECT_EQ(names_gone(queue, kEnd + 9), (std::vector<std::uint32_t>{0}));
  EXPECT_TRUE(names_gone(queue, 8).empty());
  EXPECT_EQ(names_gone(queue, 9), (std::vector<std::uint32_t>{1}));
}

TEST(TimeWaitQueue, MemoryFollowsTheNumberHeld) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(20 * kChunk));
  // Never more than one chunk's worth held, for 50 chunks' worth of records.
  for (std::uint32_t i = 0; i < 50 * kChunk; ++i) {
    ASSERT_TRUE(queue.push(record_of(i, i + kChunk)));
    queue.expire(i + 1, kIgnore, 8);
  }
  EXPECT_EQ(queue.size(), kChunk - 1);
  EXPECT_LE(queue.chunks_touched(), 3U);
  EXPECT_LE(queue.chunks_in_use(), 2U);
}

TEST(TimeWaitQueue, AChunkOfTheDeadIsFreeBeforeItsTurn) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(4 * kChunk));
  ASSERT_TRUE(queue.push(record_of(0, 60'000)));
  // Ten times the capacity goes through behind a record that stays.
  for (std::uint32_t i = 1; i < 40 * kChunk; ++i) {
    const auto index = queue.push(record_of(i, 60'000));
    ASSERT_TRUE(index);
    queue.erase(*index);
  }
  EXPECT_LE(queue.chunks_touched(), 3U);
  EXPECT_EQ(names_gone(queue, 60'000), (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(queue.chunks_in_use(), 0U);
}

TEST(TimeWaitQueue, TheDeadLeaveRoomForOnceTheCapacity) {
  TimeWaitQueue queue;
  constexpr std::uint32_t kCapacity = 2 * kChunk;
  ASSERT_TRUE(queue.reserve(kCapacity));
  // The worst for it: one of two dies, so that no chunk does.
  for (std::uint32_t i = 0; i < 2 * kCapacity; ++i) {
    const auto index = queue.push(record_of(i, 60'000));
    ASSERT_TRUE(index) << i;
    if (i % 2 == 0) queue.erase(*index);
  }
  EXPECT_EQ(queue.size(), kCapacity);
  EXPECT_EQ(names_gone(queue, 60'000).size(), kCapacity);
}

TEST(TimeWaitQueue, TellsWhenThePlacesAreTakenAndRecovers) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(kChunk));
  std::uint32_t live = 0;
  // One of 64 lives: places run out long before the capacity does.
  for (std::uint32_t i = 0; i < 100 * kChunk; ++i) {
    const auto index = queue.push(record_of(i, 60'000));
    if (!index) break;
    if (i % 64 == 0) {
      ++live;
    } else {
      queue.erase(*index);
    }
  }
  EXPECT_EQ(queue.size(), live);
  EXPECT_LT(live, kChunk);
  EXPECT_EQ(queue.push(record_of(0, 60'000)), std::nullopt);
  EXPECT_EQ(names_gone(queue, 60'000).size(), live);
  EXPECT_TRUE(queue.push(record_of(0, 60'000)));
}

TEST(TimeWaitQueue, ARestartedRecordLastsAtLeastItsNewTime) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(10));
  const std::uint32_t index = queue.push(record_of(0, 100)).value();
  ASSERT_TRUE(queue.push(record_of(1, 110)));
  queue.restart(index, 150);
  ASSERT_TRUE(queue.next_deadline_ms());
  EXPECT_LE(*queue.next_deadline_ms(), 110U);
  std::map<std::uint32_t, std::uint32_t> moves;
  std::vector<std::uint32_t> gone;
  const auto run = [&](std::uint32_t now_ms) {
    queue.expire(
        now_ms, [&](std::uint32_t, const TimeWaitRecord& r) { gone.push_back(r.remote); },
        [&](std::uint32_t from, std::uint32_t to, const TimeWaitRecord& r) {
          EXPECT_EQ(r.remote, 0U);
          EXPECT_EQ(queue.at(to).deadline_ms(), 150U);
          moves[from] = to;
        },
        kNoLimit);
  };
  run(100);
  EXPECT_TRUE(gone.empty());
  ASSERT_EQ(moves.size(), 1U);
  EXPECT_EQ(queue.size(), 2U);
  run(110);
  EXPECT_EQ(gone, (std::vector<std::uint32_t>{1}));
  run(149);
  EXPECT_EQ(gone.size(), 1U);
  run(150);
  EXPECT_EQ(gone, (std::vector<std::uint32_t>{1, 0}));
}

TEST(TimeWaitQueue, RestartsForEverTakeNoPlaces) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(kChunk));
  std::map<std::uint32_t, std::uint32_t> index_of;
  for (std::uint32_t name = 0; name < kChunk; ++name) {
    index_of[name] = queue.push(record_of(name, 1000)).value();
  }
  for (std::uint32_t now = 0; now < 20'000; now += 250) {
    for (const auto& [name, index] : index_of) queue.restart(index, now + 1000);
    queue.expire(
        now, [](std::uint32_t, const TimeWaitRecord&) { FAIL(); },
        [&](std::uint32_t, std::uint32_t to, const TimeWaitRecord& r) { index_of[r.remote] = to; },
        kChunk);
    ASSERT_EQ(queue.size(), kChunk);
  }
  EXPECT_LE(queue.chunks_touched(), 3U);
  for (const auto& [name, index] : index_of) ASSERT_EQ(queue.at(index).remote, name);
}

TEST(TimeWaitQueue, ShowsThoseThatExpireNext) {
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(2 * kChunk));
  for (std::uint32_t i = 0; i < kChunk + 4; ++i) ASSERT_TRUE(queue.push(record_of(i, i)));
  queue.erase(0);
  std::vector<std::uint32_t> names;
  const auto note = [&](const TimeWaitRecord& record) { names.push_back(record.remote); };
  queue.prefetch_expiring(4, note);
  EXPECT_EQ(names, (std::vector<std::uint32_t>{1, 2, 3}));
  queue.expire(kChunk - 3, kIgnore, kNoLimit);
  names.clear();
  queue.prefetch_expiring(100, note);
  EXPECT_EQ(names, (std::vector<std::uint32_t>{kChunk - 2, kChunk - 1, kChunk, kChunk + 1,
                                               kChunk + 2, kChunk + 3}));
}

// Pushes, erasures, restarts and drops at random; every record ends once, not before its time, and
// at most 2MSL after it.
TEST(TimeWaitQueue, AgreesWithTheModel) {
  constexpr std::uint32_t kWait = 5000;
  struct Held {
    std::uint32_t index;
    std::uint32_t deadline_ms;
  };
  base::Random random(21);
  TimeWaitQueue queue;
  ASSERT_TRUE(queue.reserve(100'000));
  std::map<std::uint32_t, Held> model;
  std::uint32_t now = TimeWaitRecord::kTimeMask - 20'000;
  const std::uint32_t origin = now;
  const auto random_name = [&](std::uint32_t next) {
    return next - static_cast<std::uint32_t>(random.below(60'000));
  };
  for (std::uint32_t name = 1; name < 400'000; ++name) {
    now += random.chance(0.1) ? 1 : 0;
    const auto index = queue.push(record_of(name, now + kWait));
    ASSERT_TRUE(index);
    model[name] = {*index, now + kWait};
    if (const auto it = model.find(random_name(name)); it != model.end() && random.chance(0.5)) {
      queue.erase(it->second.index);
      model.erase(it);
    }
    if (const auto it = model.find(random_name(name)); it != model.end()) {
      queue.restart(it->second.index, now + kWait);
      it->second.deadline_ms = now + kWait;
    }
    queue.expire(
        now,
        [&](std::uint32_t at, const TimeWaitRecord& record) {
          const auto it = model.find(record.remote);
          ASSERT_NE(it, model.end());
          EXPECT_EQ(it->second.index, at);
          EXPECT_GE(now - origin, it->second.deadline_ms - origin);
          EXPECT_LE(now - it->second.deadline_ms, kWait);
          model.erase(it);
        },
        [&](std::uint32_t from, std::uint32_t to, const TimeWaitRecord& record) {
          ASSERT_EQ(model.at(record.remote).index, from);
          model.at(record.remote).index = to;
        },
        100);
    ASSERT_EQ(queue.size(), model.size());
  }
  EXPECT_LE(queue.chunks_touched(), 4U);
}

}  // namespace
}  // namespace handfast::table
