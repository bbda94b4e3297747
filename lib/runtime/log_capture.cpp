#include "runtime/log_capture.hpp"

#include <rte_log.h>

#include <cstdlib>

namespace handfast::runtime {

LogCapture::LogCapture() : stream_(::open_memstream(&bytes_, &length_)) {
  if (stream_ != nullptr) rte_openlog_stream(stream_);
}

LogCapture::~LogCapture() {
  rte_openlog_stream(stderr);
  if (stream_ != nullptr) std::fclose(stream_);
  std::free(bytes_);
}

std::string LogCapture::text() const {
  if (stream_ == nullptr) return {};
  std::fflush(stream_);
  return {bytes_, length_};
}

}  // namespace handfast::runtime
