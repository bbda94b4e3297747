// EventTables: a number of one byte for each HandlerTable in use, for records that are counted by
// the byte. There is one table for each type of handler, so a program has a few. One stack's own;
// a number, once given, stays.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "handfast/handler.hpp"

namespace handfast::stack {

class EventTables {
 public:
  // Nothing when 256 others have come before. Cost: one comparison for the table asked for last.
  std::optional<std::uint8_t> number_of(const HandlerTable& table) {
    if (last_ < count_ && tables_[last_] == &table) return static_cast<std::uint8_t>(last_);
    for (last_ = 0; last_ < count_; ++last_) {
      if (tables_[last_] == &table) return static_cast<std::uint8_t>(last_);
    }
    if (count_ == tables_.size()) return std::nullopt;
    tables_[count_++] = &table;
    return static_cast<std::uint8_t>(last_);
  }
  const HandlerTable& operator[](std::uint8_t number) const { return *tables_[number]; }

 private:
  std::array<const HandlerTable*, 256> tables_{};
  std::size_t count_ = 0;
  std::size_t last_ = 0;  // the number given last
};

}  // namespace handfast::stack
