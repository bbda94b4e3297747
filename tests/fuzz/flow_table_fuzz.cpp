// The flow table against a plain list of what was put in. Hashes differ in few bits, so that
// buckets overflow and the probe limit is reached.

#include "base/assert.hpp"
#include "table/flow_table.hpp"
#include "tests/fuzz/input.hpp"

namespace handfast::fuzz {

namespace {

struct Entry {
  std::uint64_t hash;
  std::uint32_t reference;
};

class Model {
 public:
  explicit Model(Input& input) : input_(input), capacity_(1 + input.half() % 2000) {
    HANDFAST_ASSERT(table_.reserve(capacity_));
  }

  void step() {
    switch (input_.below(4)) {
      case 0:
      case 1:
        return insert();
      case 2:
        return erase();
      default:
        return replace();
    }
  }
  void check() {
    HANDFAST_ASSERT(table_.size() == entries_.size());
    for (const Entry& entry : entries_) HANDFAST_ASSERT(find(entry) == entry.reference);
  }

 private:
  std::uint64_t choose_hash() {
    const std::uint32_t bucket = input_.byte();
    const std::uint32_t tag = input_.byte();
    return std::uint64_t{0x1234} << 32 | bucket << 24 | (tag % 4);
  }
  std::uint32_t find(const Entry& entry) const {
    return table_.find(entry.hash,
                       [&](std::uint32_t reference) { return reference == entry.reference; });
  }
  // Many at once: a byte of input is too little for each of a thousand flows.
  void insert() {
    const std::uint64_t hash = choose_hash();
    for (std::size_t n = 1 + input_.below(64); n > 0; --n) {
      const Entry entry{hash, next_reference_++};
      const bool inserted = table_.insert(entry.hash, entry.reference);
      HANDFAST_ASSERT(!inserted || entries_.size() < capacity_);
      if (inserted) entries_.push_back(entry);
      HANDFAST_ASSERT((find(entry) == entry.reference) == inserted);
    }
  }
  void erase() {
    if (entries_.empty()) return;
    const std::size_t place = input_.half() % entries_.size();
    const Entry gone = entries_[place];
    entries_[place] = entries_.back();
    entries_.pop_back();
    HANDFAST_ASSERT(table_.erase(gone.hash, gone.reference));
    HANDFAST_ASSERT(find(gone) == table::FlowTable::kNotFound);
    HANDFAST_ASSERT(!table_.erase(gone.hash, gone.reference));
  }
  void replace() {
    if (entries_.empty()) return;
    Entry& entry = entries_[input_.half() % entries_.size()];
    const Entry old = entry;
    entry.reference = next_reference_++;
    HANDFAST_ASSERT(table_.replace(old.hash, old.reference, entry.reference));
    HANDFAST_ASSERT(find(old) == table::FlowTable::kNotFound);
  }

  Input& input_;
  std::size_t capacity_;
  table::FlowTable table_;
  std::vector<Entry> entries_;
  std::uint32_t next_reference_ = 1;
};

}  // namespace

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return handfast::fuzz::run_model<handfast::fuzz::Model>(data, size);
}
