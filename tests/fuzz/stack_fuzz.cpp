// A whole stack, from the frames that it is fed to those that it sends, with an application that
// calls whatever it likes.

#include "tests/fuzz/driven_stack.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // More steps tell nothing new, and take time.
  constexpr int kStepsMax = 300;
  handfast::fuzz::Input input(data, size);
  handfast::fuzz::DrivenStack stack(input);
  for (int i = 0; i < kStepsMax && !input.is_empty(); ++i) stack.step();
  return 0;
}
