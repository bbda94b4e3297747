// Segments, timeouts and calls on one connection, in whatever state it is: what may arrive is near
// what is expected, and so finds its way past the first check.

#include "tests/fuzz/driven_connection.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // More steps tell nothing new, and take time.
  constexpr int kStepsMax = 400;
  handfast::fuzz::Input input(data, size);
  handfast::fuzz::DrivenConnection connection(input);
  for (int i = 0; i < kStepsMax && !input.is_empty() && !connection.is_over(); ++i) {
    connection.step();
  }
  return 0;
}
