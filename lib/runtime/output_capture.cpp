#include "runtime/output_capture.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace handfast::runtime {

OutputCapture::OutputCapture()
    : text_(kBytesMax, '\0'), memory_(::memfd_create("handfast-output", MFD_CLOEXEC)) {
  if (memory_ < 0) return;
  std::fflush(nullptr);
  stdout_ = ::dup(STDOUT_FILENO);
  stderr_ = ::dup(STDERR_FILENO);
  ::dup2(memory_, STDOUT_FILENO);
  ::dup2(memory_, STDERR_FILENO);
}

std::string OutputCapture::finish() {
  std::fflush(nullptr);
  const ssize_t length = memory_ < 0 ? 0 : ::pread(memory_, text_.data(), text_.size(), 0);
  text_.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  restore();
  return std::move(text_);
}

void OutputCapture::restore() {
  if (memory_ < 0) return;
  std::fflush(nullptr);
  if (stdout_ >= 0) {
    ::dup2(stdout_, STDOUT_FILENO);
    ::close(stdout_);
  }
  if (stderr_ >= 0) {
    ::dup2(stderr_, STDERR_FILENO);
    ::close(stderr_);
  }
  ::close(memory_);
  memory_ = stdout_ = stderr_ = -1;
}

}  // namespace handfast::runtime
