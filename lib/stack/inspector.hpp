// Inspector: a read-only window into a Stack, for tests that check its records between two of its
// turns. It knows what the records are and nothing of what is right about them. Not for
// applications: those have ConnectionInfo and Counters.
#pragma once

#include <cstdint>

#include "stack/stack.hpp"

namespace handfast::stack {

class Inspector {
 public:
  // `stack` is borrowed.
  explicit Inspector(const Stack& stack) : stack_(&stack) {}

  // visit(index, record) for each one in use.
  template <class F>
  void for_each_connection(F&& visit) const {
    for (std::uint32_t i = 0; i < stack_->connections_.touched(); ++i) {
      if (stack_->connections_.is_in_use(i)) visit(i, stack_->connections_[i]);
    }
  }
  template <class F>
  void for_each_half_open(F&& visit) const {
    for (std::uint32_t i = 0; i < stack_->half_opens_.touched(); ++i) {
      if (stack_->half_opens_.is_in_use(i)) visit(i, stack_->half_opens_[i]);
    }
  }
  RecordKind kind_of(const base::FlowKey& key) const {
    return stack_->find_flow(key, stack_->hash_of(key)).kind();
  }

  std::uint32_t transfers_in_use() const { return stack_->transfers_.in_use(); }
  std::size_t flows() const { return stack_->flows_.size(); }
  // Ticks until the wheel looks at its entries; kNoTick: it has none.
  base::Tick wheel_deadline() const { return stack_->wheel_.next_deadline(); }
  const tcp::Parameters& parameters() const { return stack_->parameters_; }
  const tcp::Context& context() const { return stack_->context_; }
  Duration time_wait() const { return std::chrono::milliseconds(stack_->time_wait_ms_); }

 private:
  const Stack* stack_;
};

}  // namespace handfast::stack
