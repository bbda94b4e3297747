// The TIME-WAIT queue against a plain list: each record ends once, not before its time and not when
// it was erased, and one that was restarted is found where the queue says it went.

#include "base/assert.hpp"
#include "table/time_wait_queue.hpp"
#include "tests/fuzz/input.hpp"

namespace handfast::fuzz {

namespace {

using table::TimeWaitQueue;
using table::TimeWaitRecord;

class Model {
 public:
  explicit Model(Input& input) : input_(input), capacity_(1U + input.byte()) {
    now_ = input.word();
    HANDFAST_ASSERT(queue_.reserve(capacity_));
  }

  void step() {
    switch (input_.below(8)) {
      case 0:
        return erase();
      case 1:
        return restart();
      case 2:
        return drop_oldest();
      case 3:
      case 4:
        now_ += input_.half() % kLastsMs;
        return expire();
      default:
        return push();
    }
  }
  void check() {
    HANDFAST_ASSERT(queue_.size() == held_.size());
    for (const Held& held : held_) {
      const TimeWaitRecord& record = queue_.at(held.index);
      HANDFAST_ASSERT(record.is_live() && record.remote == held.name);
      HANDFAST_ASSERT(record.deadline_ms() == (held.deadline_ms & TimeWaitRecord::kTimeMask));
    }
  }

 private:
  static constexpr std::uint32_t kLastsMs = 20'000;  // 2MSL
  struct Held {
    std::uint32_t index;
    std::uint32_t name;
    std::uint32_t deadline_ms;
  };

  Held& held_at(std::uint32_t index) {
    const auto found = std::ranges::find(held_, index, &Held::index);
    HANDFAST_ASSERT(found != held_.end());
    return *found;
  }
  void forget(std::uint32_t index) {
    std::erase_if(held_, [index](const Held& held) { return held.index == index; });
  }
  bool is_over(const Held& held) const {
    return static_cast<std::int32_t>(now_ - held.deadline_ms) >= 0;
  }

  void push() {
    for (std::size_t n = 1 + input_.below(64); n > 0; --n) {
      TimeWaitRecord record{.remote = next_name_++};
      record.set_deadline_ms(now_ + kLastsMs);
      const auto index = queue_.push(record);
      // The places suffice here: only the number held is a bound.
      if (!index) {
        HANDFAST_ASSERT(held_.size() == capacity_);
        return;
      }
      held_.push_back({*index, record.remote, now_ + kLastsMs});
    }
  }
  void erase() {
    if (held_.empty()) return;
    const std::uint32_t index = held_[input_.byte() % held_.size()].index;
    queue_.erase(index);
    forget(index);
  }
  void restart() {
    if (held_.empty()) return;
    Held& held = held_[input_.byte() % held_.size()];
    held.deadline_ms = now_ + kLastsMs;
    queue_.restart(held.index, held.deadline_ms);
  }
  void drop_oldest() {
    const bool dropped = queue_.drop_oldest([this](std::uint32_t index, const auto& record) {
      HANDFAST_ASSERT(held_at(index).name == record.remote);
      forget(index);
    });
    HANDFAST_ASSERT(dropped || held_.empty());
  }
  // With a budget that looks at all places, and so until nothing that is over is left.
  void expire() {
    for (int turn = 0; turn < 2; ++turn) {
      queue_.expire(
          now_,
          [this](std::uint32_t index, const auto& record) {
            const Held& held = held_at(index);
            HANDFAST_ASSERT(held.name == record.remote && is_over(held));
            forget(index);
          },
          [this](std::uint32_t from, std::uint32_t to, const auto& record) {
            Held& held = held_at(from);
            HANDFAST_ASSERT(held.name == record.remote && !is_over(held));
            held.index = to;
          },
          1'000'000);
    }
    if (!held_.empty()) HANDFAST_ASSERT(queue_.next_deadline_ms().has_value());
  }

  Input& input_;
  std::uint32_t capacity_;
  std::uint32_t now_ = 0;
  TimeWaitQueue queue_;
  std::vector<Held> held_;
  std::uint32_t next_name_ = 1;
};

}  // namespace

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return handfast::fuzz::run_model<handfast::fuzz::Model>(data, size);
}
