// Wheel: a hierarchical timing wheel of ids and deadlines. It knows nothing of connections, reads
// no clock and allocates nothing after reserve(). One worker owns it: protocol code arms and
// cancels, the worker calls advance() once a poll, and a simulator asks next_deadline() how far to
// jump.
//
// Four levels of 256 slots. A slot's place is fixed by the tick at which it begins:
//
//   level 0: 256 slots of 65.536 us   = 16.8 ms       a tick lies at the level of the highest byte
//   level 1: 256 slots of 16.8 ms     =  4.3 s        in which it differs from the current tick
//   level 2: 256 slots of 4.3 s       = 18 min
//   level 3: 256 slots of 18 min      = 78 h
//
// An entry is an id and nothing else, and it belongs to a record, not to one use of it. The usual
// {id, generation} entries are appended at every arming and are dead weight once the record is
// recycled; here the record says in its TimerNode when it wants to be called (`deadline`) and when
// the one entry that counts comes round (`filed`):
//
//   - arming for a time at or after `filed` writes the deadline and nothing else. When the entry
//   comes
//     round the deadline is read from the record, and the entry is filed again for the rest;
//   - arming for an earlier slot appends a second entry. The first is now stale: when it comes
//   round
//     `filed` says another time, and it is dropped;
//   - cancelling clears the deadline. The entry stays and serves the record's next use.
//
// So a record recycled a million times a second costs a few entries a second, not a million.
//
// How many entries: one for each record with `filed` set, and the stale ones. No entry is filed
// more than kFileAheadMax (69 s) ahead, so a stale one lives no longer than that. When entries_max
// is reached, compact() drops every stale and every cancelled entry, after which there are exactly
// as many as armed records: with entries_max at least the number of records, the arm() that takes
// `node_of` cannot fail. With twice that, at least as many arm() calls lie between two compactions
// as one has entries to look at.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"
#include "base/mapped_array.hpp"
#include "base/tick.hpp"
#include "handfast/time.hpp"

namespace handfast::timer {

using base::kTickShift;
using base::Tick;
using base::tick_at_or_after;
using base::TimerNode;

constexpr bool is_before(Tick a, Tick b) {
  return static_cast<std::int32_t>(a - b) < 0;
}

// The last tick that is not after `now`, for advance(). May be 0.
constexpr Tick tick_at_or_before(Instant now) {
  return static_cast<Tick>(now.ns() >> kTickShift);
}

// When `tick` begins, of all its turns the one closest to `near`.
constexpr Instant instant_of(Tick tick, Instant near) {
  const std::int64_t near_tick = near.ns() >> kTickShift;
  const auto distance = static_cast<std::int32_t>(tick - static_cast<Tick>(near_tick));
  return Instant::from_ns((near_tick + distance) * (std::int64_t{1} << kTickShift));
}

class Wheel {
 public:
  // No entry is filed further ahead than this; what lies further is filed again on the way.
  static constexpr Tick kFileAheadMax = Tick{1} << 20;

  Wheel() { lists_.fill(List{}); }

  // Room for `entries_max` entries, about 4.3 bytes each; `now` is where the worker's clock begins.
  // False when the system refuses the memory. Once only.
  [[nodiscard]] bool reserve(std::uint32_t entries_max, Tick now = 0) {
    entries_max_ = entries_max;
    current_ = now;
    // Every list may end in a chunk that is not full; compaction holds one list twice.
    return chunks_.reserve(entries_max / kIdsPerChunk + kListCount + 2);
  }

  // Calls `id` at `deadline` (not 0), or at the next advance() when that is past. Replaces an
  // earlier deadline. False when a new entry was needed and there is no room: the node is then as
  // it was.
  [[nodiscard]] bool arm(std::uint32_t id, TimerNode& node, Tick deadline) {
    HANDFAST_DEBUG_ASSERT(deadline != 0);
    // Later than before: the entry that came early enough for that comes early enough for this.
    if (node.filed != 0 && node.deadline != 0 && !is_before(deadline, node.deadline)) {
      node.deadline = deadline;
      return true;
    }
    const Place place = place_of(deadline);
    if (node.filed == 0 || is_before(place.filed, node.filed)) {
      if (entries_ == entries_max_) [[unlikely]]
        return false;
      node.filed = place.filed;
      push(place.list, id);
    }
    node.deadline = deadline;
    return true;
  }
  // The same, making room by compact() first when there is none. Cannot fail while fewer records
  // than entries_max are armed.
  template <class NodeOf>
  [[nodiscard]] bool arm(std::uint32_t id, TimerNode& node, Tick deadline, NodeOf&& node_of) {
    if (arm(id, node, deadline)) [[likely]]
      return true;
    compact(node_of);
    return arm(id, node, deadline);
  }
  static void cancel(TimerNode& node) { node.deadline = 0; }

  // Calls `expire(id)` for each node whose deadline has come, its deadline already cleared, and
  // files moved ones again. `expire` may arm any node; one armed for the past has its turn in the
  // next call. `node_of(id)` gives the TimerNode and must not read the record: its result is also
  // prefetched. Looks at no more than `budget` entries and goes on from there in the next call.
  // Returns how many expired. `now` must not lie 39 h or more behind or ahead of the last one.
  template <class NodeOf, class Expire>
  std::size_t advance(Tick now, NodeOf&& node_of, Expire&& expire, std::size_t budget);

  // The earliest tick at which an entry comes round, 0 when there is none. A lower bound: the entry
  // may prove moved or stale, but advance() to that tick always gets further.
  Tick next_deadline() const;

  // Drops every entry that is stale or whose node is not armed. O(entries), a record read for each.
  template <class NodeOf>
  void compact(NodeOf&& node_of);

  std::uint32_t entries() const { return entries_; }
  std::uint64_t touched_bytes() const { return std::uint64_t{touched_chunks_} * sizeof(Chunk); }

 private:
  static constexpr unsigned kLevels = 4;
  static constexpr unsigned kSlots = 256;
  static constexpr unsigned kWords = kSlots / 64;
  // Beside the slots: entries armed for the past, and those of the slot being worked on.
  static constexpr unsigned kOverdue = kLevels * kSlots;
  static constexpr unsigned kInTurn = kOverdue + 1;
  static constexpr unsigned kListCount = kInTurn + 1;
  static constexpr unsigned kIdsPerChunk = 15;

  struct Chunk {
    std::uint32_t next;  // index + 1; 0: the last
    std::array<std::uint32_t, kIdsPerChunk> ids;
  };
  static_assert(sizeof(Chunk) == 64);
  // A stack of ids: only the first chunk may be partly filled.
  struct List {
    std::uint32_t head = 0;  // chunk index + 1
    std::uint32_t fill = 0;  // ids in the head chunk; 0 only when the list is empty
  };
  struct Place {
    unsigned list;
    Tick filed;
  };

  // 0 would mean "none". A slot that begins at tick 0 counts as filed at 1; the worst that comes of
  // it is that an entry is filed twice, and the second one is dropped as stale.
  static constexpr Tick not_none(Tick tick) { return tick == 0 ? 1 : tick; }
  static constexpr unsigned byte_of(Tick tick, unsigned level) {
    return tick >> (8 * level) & 0xff;
  }

  // Entries in slots all come round after the current tick, so this holds only for one in turn.
  bool has_come(Tick filed) const { return filed != 0 && !is_before(not_none(current_), filed); }

  Place place_of(Tick deadline) const {
    if (!is_before(current_, deadline)) return {kOverdue, not_none(current_)};
    if (deadline - current_ > kFileAheadMax) deadline = current_ + kFileAheadMax;
    const unsigned level = static_cast<unsigned>(31 - std::countl_zero(current_ ^ deadline)) / 8;
    const Tick begin = deadline >> (8 * level) << (8 * level);
    return {level * kSlots + byte_of(deadline, level), not_none(begin)};
  }

  void push(unsigned list_index, std::uint32_t id) {
    List& list = lists_[list_index];
    if (list.fill == 0 || list.fill == kIdsPerChunk) {
      const std::uint32_t chunk = take_chunk();
      chunks_[chunk].next = list.head;
      list = {chunk + 1, 0};
    }
    chunks_[list.head - 1].ids[list.fill++] = id;
    ++entries_;
    mark(list_index);
  }
  std::uint32_t pop(List& list) {
    Chunk& chunk = chunks_[list.head - 1];
    const std::uint32_t id = chunk.ids[--list.fill];
    --entries_;
    if (list.fill == 0) {
      const std::uint32_t emptied = list.head - 1;
      list.head = chunk.next;
      list.fill = list.head == 0 ? 0 : kIdsPerChunk;
      chunk.next = free_chunks_;
      free_chunks_ = emptied + 1;
    }
    return id;
  }
  std::uint32_t take_chunk() {
    if (free_chunks_ == 0) return touched_chunks_++;
    const std::uint32_t chunk = free_chunks_ - 1;
    free_chunks_ = chunks_[chunk].next;
    return chunk;
  }

  void mark(unsigned list) {
    if (list < kOverdue) occupied_[list / 64] |= std::uint64_t{1} << (list % 64);
  }
  void unmark(unsigned list) {
    if (list < kOverdue) occupied_[list / 64] &= ~(std::uint64_t{1} << (list % 64));
  }
  bool is_empty(unsigned list) const { return lists_[list].fill == 0; }

  bool bring_next_list_into_turn();
  // The first occupied slot of `level` at or behind `from`, or kSlots.
  unsigned next_slot(unsigned level, unsigned from) const;
  // The earliest tick after the current one at which an occupied slot begins.
  bool next_begin(Tick& begin) const;
  template <class NodeOf, class Expire>
  bool take_turn(std::uint32_t id, NodeOf& node_of, Expire& expire);
  template <class NodeOf>
  void prefetch_first(NodeOf& node_of) const;
  template <class NodeOf>
  void prefetch_second(NodeOf& node_of) const;
  template <class NodeOf, class Counts>
  void keep_counted(unsigned list_index, NodeOf& node_of, Counts counts);
  template <class NodeOf>
  void set_filed(unsigned list_index, NodeOf& node_of, Tick filed);

  base::MappedArray<Chunk> chunks_;
  std::uint32_t free_chunks_ = 0;  // index + 1
  std::uint32_t touched_chunks_ = 0;
  std::uint32_t entries_ = 0;
  std::uint32_t entries_max_ = 0;
  Tick current_ = 0;  // everything that was due before this tick has had its turn
  std::array<std::uint64_t, kLevels * kWords> occupied_{};
  std::array<List, kListCount> lists_;
};

inline unsigned Wheel::next_slot(unsigned level, unsigned from) const {
  if (from >= kSlots) return kSlots;
  const std::uint64_t* const words = &occupied_[level * kWords];
  unsigned word = from / 64;
  std::uint64_t bits = words[word] >> (from % 64) << (from % 64);
  while (bits == 0) {
    if (++word == kWords) return kSlots;
    bits = words[word];
  }
  return word * 64 + static_cast<unsigned>(std::countr_zero(bits));
}

// A lower level's slots all begin before those of a higher one, and none lies behind the current
// byte; only the highest level wraps.
inline bool Wheel::next_begin(Tick& begin) const {
  for (unsigned level = 0; level < kLevels; ++level) {
    unsigned slot = next_slot(level, byte_of(current_, level) + 1);
    if (slot == kSlots && level == kLevels - 1) slot = next_slot(level, 0);
    if (slot == kSlots) continue;
    const Tick above =
        level == kLevels - 1 ? 0 : current_ >> (8 * (level + 1)) << (8 * (level + 1));
    begin = above | slot << (8 * level);
    return true;
  }
  return false;
}

// Nothing is filed into the slots that hold the current tick, so each is brought in once.
inline bool Wheel::bring_next_list_into_turn() {
  for (unsigned level = kLevels; level-- > 0;) {
    const unsigned list = level * kSlots + byte_of(current_, level);
    if (is_empty(list)) continue;
    lists_[kInTurn] = lists_[list];
    lists_[list] = List{};
    unmark(list);
    return true;
  }
  return false;
}

inline Tick Wheel::next_deadline() const {
  if (!is_empty(kInTurn) || !is_empty(kOverdue)) return not_none(current_);
  for (unsigned level = 0; level < kLevels; ++level) {
    if (!is_empty(level * kSlots + byte_of(current_, level))) return not_none(current_);
  }
  Tick begin = 0;
  return next_begin(begin) ? not_none(begin) : 0;
}

// The nodes of the list in turn are read chunk by chunk, each prefetched while the one before it is
// worked on; those of the first chunk at least miss together.
template <class NodeOf>
void Wheel::prefetch_first(NodeOf& node_of) const {
  const List& list = lists_[kInTurn];
  if (list.fill == 0) return;
  const Chunk& chunk = chunks_[list.head - 1];
  if (chunk.next != 0) __builtin_prefetch(&chunks_[chunk.next - 1]);
  for (std::uint32_t i = list.fill; i-- > 0;) __builtin_prefetch(&node_of(chunk.ids[i]), 1);
}

template <class NodeOf>
void Wheel::prefetch_second(NodeOf& node_of) const {
  const std::uint32_t next = chunks_[lists_[kInTurn].head - 1].next;
  if (next == 0) return;
  const Chunk& chunk = chunks_[next - 1];
  if (chunk.next != 0) __builtin_prefetch(&chunks_[chunk.next - 1]);
  for (std::uint32_t i = kIdsPerChunk; i-- > 0;) __builtin_prefetch(&node_of(chunk.ids[i]), 1);
}

template <class NodeOf, class Expire>
bool Wheel::take_turn(std::uint32_t id, NodeOf& node_of, Expire& expire) {
  TimerNode& node = node_of(id);
  if (!has_come(node.filed)) return false;  // stale
  if (node.deadline != 0 && is_before(current_, node.deadline)) {
    const Place place = place_of(node.deadline);
    node.filed = place.filed;
    push(place.list, id);
    return false;
  }
  const bool is_due = node.deadline != 0;
  node = TimerNode{};
  if (is_due) expire(id);
  return is_due;
}

template <class NodeOf, class Expire>
std::size_t Wheel::advance(Tick now, NodeOf&& node_of, Expire&& expire, std::size_t budget) {
  std::size_t expired = 0;
  // What `expire` arms for the past from here on waits for the next call.
  bool may_take_overdue = true;
  while (budget > 0) {
    List& in_turn = lists_[kInTurn];
    if (in_turn.fill != 0) {
      const std::uint32_t chunk = in_turn.head;
      prefetch_second(node_of);
      while (in_turn.head == chunk && budget > 0) {
        --budget;
        if (take_turn(pop(in_turn), node_of, expire)) ++expired;
      }
      continue;
    }
    if (may_take_overdue) {
      may_take_overdue = false;
      in_turn = lists_[kOverdue];
      lists_[kOverdue] = List{};
      prefetch_first(node_of);
      continue;
    }
    if (bring_next_list_into_turn()) {
      prefetch_first(node_of);
      continue;
    }
    Tick begin = 0;
    if (!next_begin(begin) || is_before(now, begin)) {
      if (is_before(current_, now)) current_ = now;
      break;
    }
    current_ = begin;
  }
  return expired;
}

// First all that count are kept with `filed` cleared, so that a second entry of the same node no
// longer counts; then `filed` is set again.
template <class NodeOf, class Counts>
void Wheel::keep_counted(unsigned list_index, NodeOf& node_of, Counts counts) {
  List old = lists_[list_index];
  lists_[list_index] = List{};
  unmark(list_index);
  while (old.fill != 0) {
    const std::uint32_t id = pop(old);
    TimerNode& node = node_of(id);
    if (!counts(node.filed)) continue;
    node.filed = 0;
    if (node.deadline != 0) push(list_index, id);
  }
}

template <class NodeOf>
void Wheel::set_filed(unsigned list_index, NodeOf& node_of, Tick filed) {
  std::uint32_t count = lists_[list_index].fill;
  for (std::uint32_t next = lists_[list_index].head; next != 0; count = kIdsPerChunk) {
    const Chunk& chunk = chunks_[next - 1];
    for (std::uint32_t i = 0; i < count; ++i) node_of(chunk.ids[i]).filed = filed;
    next = chunk.next;
  }
}

template <class NodeOf>
void Wheel::compact(NodeOf&& node_of) {
  const auto in_turn = [this](Tick filed) { return has_come(filed); };
  const Tick now = not_none(current_);
  // A slot's place says at which tick it begins: within the current turn of the level above.
  for (unsigned list = 0; list < kOverdue; ++list) {
    if (is_empty(list)) continue;
    const unsigned shift = 8 * (list / kSlots);
    const Tick above = shift == 24 ? 0 : current_ >> (shift + 8) << (shift + 8);
    const Tick begin = not_none(above | (list % kSlots) << shift);
    keep_counted(list, node_of, [begin](Tick filed) { return filed == begin; });
    set_filed(list, node_of, begin);
  }
  // A node may have an entry in both of these: neither is marked before both were gone through.
  keep_counted(kInTurn, node_of, in_turn);
  keep_counted(kOverdue, node_of, in_turn);
  set_filed(kInTurn, node_of, now);
  set_filed(kOverdue, node_of, now);
}

}  // namespace handfast::timer
