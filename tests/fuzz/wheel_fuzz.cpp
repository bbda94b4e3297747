// The timer wheel against a plain list of deadlines: nothing early, nothing forgotten, and a next
// deadline that is never too late.

#include "base/assert.hpp"
#include "tests/fuzz/input.hpp"
#include "timer/wheel.hpp"

namespace handfast::fuzz {

namespace {

using base::Tick;
using base::TimerNode;

class Model {
 public:
  explicit Model(Input& input) : input_(input), now_(input.word() | 1U) {
    nodes_.resize(1 + input.below(64));
    HANDFAST_ASSERT(wheel_.reserve(2 * static_cast<std::uint32_t>(nodes_.size()), now_));
  }

  void step() {
    const std::uint32_t id = choose_id();
    switch (input_.below(5)) {
      case 0:
        nodes_[id].wanted = base::kNoTick;
        return timer::Wheel::cancel(nodes_[id].node);
      case 1:
      case 2:
        return advance();
      default:
        return arm(id, choose_ahead());
    }
  }

 private:
  struct Record {
    TimerNode node;
    Tick wanted = base::kNoTick;
  };
  std::uint32_t choose_id() { return static_cast<std::uint32_t>(input_.below(nodes_.size())); }
  // From a tick in the past to 39 hours ahead.
  Tick choose_ahead() {
    const std::uint32_t ahead = input_.half() >> (input_.byte() % 16);
    return ahead << (input_.byte() % 15);
  }
  auto node_of() {
    return [this](std::uint32_t id) -> TimerNode& { return nodes_[id].node; };
  }

  void arm(std::uint32_t id, Tick ahead) {
    Tick deadline = now_ + ahead;
    if (deadline == base::kNoTick) deadline = 1;
    HANDFAST_ASSERT(wheel_.arm(id, nodes_[id].node, deadline, node_of()));
    nodes_[id].wanted = deadline;
  }

  void expire(std::uint32_t id) {
    Record& record = nodes_[id];
    HANDFAST_ASSERT(record.wanted != base::kNoTick && !timer::is_before(now_, record.wanted));
    HANDFAST_ASSERT(!record.node.is_armed());
    record.wanted = base::kNoTick;
    // Some are armed again from within, for now or for later; not for ever.
    if (input_.byte() % 4 == 1) arm(id, choose_ahead());
  }

  void advance() {
    // The wheel need not keep up with one that runs 39 hours ahead of its work.
    const Tick ahead = choose_ahead() / 2;
    const Tick next = wheel_.next_deadline();
    if (next == base::kNoTick || timer::is_before(now_, next)) now_ += ahead;
    const std::size_t budget = 1 + input_.below(32);
    const bool is_whole = input_.flag();
    std::size_t looks = 0;
    do {
      wheel_.advance(
          now_, node_of(), [this](std::uint32_t id) { expire(id); }, budget);
      check_next();
    } while (is_whole && is_something_due() && ++looks < 100'000);
    HANDFAST_ASSERT(!is_whole || !is_something_due());
  }

  bool is_something_due() const {
    return std::ranges::any_of(nodes_, [this](const Record& record) {
      return record.wanted != base::kNoTick && !timer::is_before(now_, record.wanted);
    });
  }

  void check_next() const {
    const Tick next = wheel_.next_deadline();
    for (const Record& record : nodes_) {
      if (record.wanted == base::kNoTick) continue;
      HANDFAST_ASSERT(record.node.deadline == record.wanted);
      HANDFAST_ASSERT(next != base::kNoTick);
      // What is past comes at once.
      const Tick at = timer::is_before(record.wanted, now_) ? now_ : record.wanted;
      HANDFAST_ASSERT(!timer::is_before(at, next));
    }
  }

  Input& input_;
  Tick now_;
  timer::Wheel wheel_;
  std::vector<Record> nodes_;
};

}  // namespace

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  handfast::fuzz::Input input(data, size);
  handfast::fuzz::Model model(input);
  for (int i = 0; i < 500 && !input.is_empty(); ++i) model.step();
  return 0;
}
