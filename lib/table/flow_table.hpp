// FlowTable: from a flow's hash to the reference of its record (a connection, a half-open one or a
// TIME-WAIT record: the table does not know which). It holds no keys: the caller compares them in
// the record that a matching tag points to. One worker owns it and looks up every arriving segment.
//
//   bucket, one cache line:  | 12 tags of 8 bits, 0 = empty | overflow | 12 references of 32 bits |
//
// A flow lives in its home bucket or, when that is full, in the first one behind it with room.
// Every bucket counts the entries that had to pass it (`overflow`), so a lookup stops at the first
// bucket that nobody passed, and erasing leaves no tombstone: it frees the place and takes the
// counts back.
//
// Probes are bounded: at most kProbeMax buckets are filled behind a home, so no lookup reads more.
// An honest load does not come near it but in a table that is full: four flows may share a hash's
// upper bits (base/flow_key.hpp), and of 40 million in a row, at 80 %, one in 100,000 lies more
// than 64 buckets from its home. A hostile one cannot aim: the hash is keyed.
//
// The hash's high half chooses the worker (base/flow_key.hpp), so all of one worker's flows
// resemble each other in it. Only the low half is used here: its upper bits choose the bucket, its
// lowest 8 the tag.
//
// Memory: 64 bytes for 12 places, at most 9.6 of them used: 6.7 bytes an entry when full.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/assert.hpp"
#include "base/mapped_array.hpp"

namespace handfast::table {

class FlowTable {
 public:
  static constexpr std::uint32_t kNotFound = 0xffffffff;
  static constexpr std::uint32_t kBucketEntries = 12;
  // Buckets that an entry may lie away from its home, the home included.
  static constexpr std::uint32_t kProbeMax = 128;

  // Room for `capacity` entries at a load of 80 %. False when the system refuses. Once only.
  [[nodiscard]] bool reserve(std::size_t capacity) {
    // 12 places at 80 % are 48 / 5 entries a bucket.
    const std::size_t buckets = (capacity * 5 + 47) / 48 + 1;
    if (buckets >= std::size_t{1} << 32) return false;
    capacity_ = capacity;
    bucket_count_ = static_cast<std::uint32_t>(buckets);
    probe_max_ = bucket_count_ < kProbeMax ? bucket_count_ : kProbeMax;
    return buckets_.reserve(buckets);
  }

  // All of its memory, as MappedArray's: entries lie anywhere, so a few touch many pages.
  [[nodiscard]] bool populate() { return buckets_.populate(bucket_count_); }

  // First stage of a burst's lookups: brings the home bucket in.
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&buckets_[home_of(hash)]); }
  // Second stage: calls `visit(reference)` for what the home bucket may hold of this flow, so that
  // the caller prefetches those records. Flows that overflowed are not worth another stage.
  template <class F>
  void prefetch_candidates(std::uint64_t hash, F&& visit) const {
    const Bucket& bucket = buckets_[home_of(hash)];
    for (std::uint32_t mask = bucket.matches(tag_of(hash)); mask != 0; mask &= mask - 1) {
      visit(bucket.refs[static_cast<std::size_t>(std::countr_zero(mask))]);
    }
  }

  // The reference for which `matches(reference)` holds, or kNotFound. `matches` is asked only where
  // the tag fits: seldom in vain.
  template <class M>
  std::uint32_t find(std::uint64_t hash, M&& matches) const {
    const Slot slot = locate(hash, matches);
    return slot.bucket == kNotFound ? kNotFound : buckets_[slot.bucket].refs[slot.index];
  }

  // The flow must not be there yet; `reference` is any value but kNotFound. False when `capacity`
  // entries are held or kProbeMax buckets from the home on are full: nothing has changed then.
  [[nodiscard]] bool insert(std::uint64_t hash, std::uint32_t reference) {
    HANDFAST_DEBUG_ASSERT(reference != kNotFound);
    if (size_ == capacity_) return false;
    const std::uint32_t home = home_of(hash);
    std::uint32_t at = home;
    std::uint32_t free = buckets_[at].matches(kEmpty);
    for (std::uint32_t probe = 1; free == 0; ++probe) {
      if (probe == probe_max_) return false;
      at = next_of(at);
      free = buckets_[at].matches(kEmpty);
    }
    for (std::uint32_t passed = home; passed != at; passed = next_of(passed)) {
      ++buckets_[passed].overflow;
    }
    const auto index = static_cast<std::size_t>(std::countr_zero(free));
    buckets_[at].tags[index] = tag_of(hash);
    buckets_[at].refs[index] = reference;
    ++size_;
    return true;
  }

  // False when it is not there.
  bool erase(std::uint64_t hash, std::uint32_t reference) {
    const Slot slot = locate(hash, [reference](std::uint32_t held) { return held == reference; });
    if (slot.bucket == kNotFound) return false;
    buckets_[slot.bucket].tags[slot.index] = kEmpty;
    for (std::uint32_t at = home_of(hash); at != slot.bucket; at = next_of(at)) {
      --buckets_[at].overflow;
    }
    --size_;
    return true;
  }

  // The flow's record has moved, from full connection to TIME-WAIT for example. False when `from`
  // is not there.
  bool replace(std::uint64_t hash, std::uint32_t from, std::uint32_t to) {
    HANDFAST_DEBUG_ASSERT(to != kNotFound);
    const Slot slot = locate(hash, [from](std::uint32_t held) { return held == from; });
    if (slot.bucket == kNotFound) return false;
    buckets_[slot.bucket].refs[slot.index] = to;
    return true;
  }

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  // Entries lie anywhere, so a table in use is touched everywhere.
  std::uint64_t bytes() const { return std::uint64_t{bucket_count_} * sizeof(Bucket); }

 private:
  static constexpr std::uint8_t kEmpty = 0;

  struct alignas(64) Bucket {
    std::array<std::uint8_t, kBucketEntries> tags;
    std::uint32_t overflow;
    std::array<std::uint32_t, kBucketEntries> refs;

    // A bit for each place whose tag is `tag`.
    std::uint32_t matches(std::uint8_t tag) const {
#ifdef __SSE2__
      // The four bytes behind the tags are the overflow count: masked out.
      const __m128i line = _mm_load_si128(reinterpret_cast<const __m128i*>(this));
      const __m128i equal = _mm_cmpeq_epi8(line, _mm_set1_epi8(static_cast<char>(tag)));
      return static_cast<std::uint32_t>(_mm_movemask_epi8(equal)) & ((1U << kBucketEntries) - 1);
#else
      std::uint32_t mask = 0;
      for (std::uint32_t i = 0; i < kBucketEntries; ++i) {
        mask |= static_cast<std::uint32_t>(tags[i] == tag) << i;
      }
      return mask;
#endif
    }
  };
  static_assert(sizeof(Bucket) == 64);

  struct Slot {
    std::uint32_t bucket = kNotFound;
    std::size_t index = 0;
  };

  static std::uint8_t tag_of(std::uint64_t hash) {
    const auto low = static_cast<std::uint8_t>(hash);
    return low == kEmpty ? 1 : low;
  }
  std::uint32_t home_of(std::uint64_t hash) const {
    const std::uint64_t low = static_cast<std::uint32_t>(hash);
    return static_cast<std::uint32_t>((low * bucket_count_) >> 32);
  }
  std::uint32_t next_of(std::uint32_t bucket) const {
    return bucket + 1 == bucket_count_ ? 0 : bucket + 1;
  }

  template <class M>
  Slot locate(std::uint64_t hash, M&& matches) const {
    const std::uint8_t tag = tag_of(hash);
    std::uint32_t at = home_of(hash);
    for (std::uint32_t probe = 0; probe < probe_max_; ++probe) {
      const Bucket& bucket = buckets_[at];
      for (std::uint32_t mask = bucket.matches(tag); mask != 0; mask &= mask - 1) {
        const auto index = static_cast<std::size_t>(std::countr_zero(mask));
        if (matches(bucket.refs[index])) return {at, index};
      }
      if (bucket.overflow == 0) break;
      at = next_of(at);
    }
    return {};
  }

  base::MappedArray<Bucket> buckets_;
  std::uint32_t bucket_count_ = 0;
  std::uint32_t probe_max_ = 0;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

}  // namespace handfast::table
