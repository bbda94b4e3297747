// LogCapture: while it lives, what DPDK logs goes to memory. A port that opens says nothing to the
// user; one that does not says why in the error.
#pragma once

#include <cstdio>
#include <string>

namespace handfast::runtime {

class LogCapture {
 public:
  LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  ~LogCapture();

  // What was logged so far.
  std::string text() const;

 private:
  char* bytes_ = nullptr;
  std::size_t length_ = 0;
  std::FILE* stream_;
};

}  // namespace handfast::runtime
