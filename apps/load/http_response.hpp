// HttpResponseReader: the head of one HTTP/1.x response (RFC 9112), however it is cut into
// segments, as far as a download needs it: the status and how long the body is. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "handfast/handler.hpp"

namespace handfast::load {

class HttpResponseReader {
 public:
  static constexpr std::size_t kHeadBytesMax = 16 * 1024;
  enum class Status : std::uint8_t { more, complete, bad };

  HttpResponseReader() { head_.reserve(kHeadBytesMax); }

  // Takes bytes to the end of the head at most; `used` says how many. Not to be called again after
  // any other status than `more`.
  Status feed(Bytes bytes, std::size_t& used);
  // Valid after `complete`.
  int code() const { return code_; }
  // Without one the body ends with the connection (RFC 9112 section 6.3).
  std::optional<std::uint64_t> body_bytes() const { return body_bytes_; }

 private:
  bool read_head();
  bool read_field(std::string_view line);

  std::string head_;
  int code_ = 0;
  std::optional<std::uint64_t> body_bytes_;
};

}  // namespace handfast::load
