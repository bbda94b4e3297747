// OutputCapture: while it lives, what the process writes to stdout and stderr goes to memory. EAL's
// parser prints its whole usage on a wrong argument; the user gets one sentence instead.
#pragma once

#include <string>

namespace handfast::runtime {

class OutputCapture {
 public:
  OutputCapture();
  OutputCapture(const OutputCapture&) = delete;
  OutputCapture& operator=(const OutputCapture&) = delete;
  ~OutputCapture() { restore(); }

  // Ends the capture. What was written, at most its first 64 KiB.
  std::string finish();

 private:
  void restore();

  static constexpr std::size_t kBytesMax = 64 * 1024;
  std::string text_;  // made beforehand: finish() takes no memory
  int memory_ = -1;
  int stdout_ = -1;
  int stderr_ = -1;
};

}  // namespace handfast::runtime
