#include "runtime/output_capture.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

namespace handfast::runtime {

OutputCapture::OutputCapture() : memory_(::memfd_create("handfast-output", MFD_CLOEXEC)) {
  if (memory_ < 0) return;
  std::fflush(nullptr);
  stdout_ = ::dup(STDOUT_FILENO);
  stderr_ = ::dup(STDERR_FILENO);
  ::dup2(memory_, STDOUT_FILENO);
  ::dup2(memory_, STDERR_FILENO);
}

std::string OutputCapture::finish() {
  constexpr std::size_t kBytesMax = 64 * 1024;
  std::fflush(nullptr);
  std::string text(kBytesMax, '\0');
  const ssize_t length = memory_ < 0 ? 0 : ::pread(memory_, text.data(), text.size(), 0);
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  restore();
  return text;
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
