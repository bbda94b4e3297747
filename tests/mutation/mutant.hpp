// What a planted fault asks before it acts. scripts/mutate puts it in front of every source file of
// its own copy of the tree; no other build knows it.
#pragma once

#include <cstdlib>
#include <type_traits>

namespace handfast_mutation {

inline const int chosen = [] {
  const char* const number = std::getenv("HANDFAST_MUTANT");
  return number == nullptr ? 0 : std::atoi(number);
}();

// Whether fault `number` is the one of this run; what is computed while compiling has no faults.
constexpr bool is(int number) {
  return !std::is_constant_evaluated() && chosen == number;
}

}  // namespace handfast_mutation
