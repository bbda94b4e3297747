#include "apps/load/http_response.hpp"

#include <gtest/gtest.h>

namespace handfast::load {
namespace {

using Status = HttpResponseReader::Status;

struct Read {
  Status status = Status::more;
  std::size_t used = 0;
  HttpResponseReader reader;
};

// Gives `text` in pieces of `step` bytes.
Read read(std::string_view text, std::size_t step = 1000) {
  Read result;
  while (result.status == Status::more && result.used < text.size()) {
    const std::string_view piece = text.substr(result.used, step);
    std::size_t used = 0;
    result.status = result.reader.feed(std::as_bytes(std::span(piece.data(), piece.size())), used);
    result.used += used;
  }
  return result;
}

TEST(HttpResponseReader, ReadsTheHeadHoweverItIsCut) {
  constexpr std::string_view kHead =
      "HTTP/1.1 200 OK\r\nServer: nginx\r\nCONTENT-length: \t1000000000 \r\nX:\r\n\r\n";
  for (std::size_t step : {1U, 3U, 1000U}) {
    const Read result = read(std::string(kHead) + "body", step);
    EXPECT_EQ(result.status, Status::complete);
    EXPECT_EQ(result.used, kHead.size());
    EXPECT_EQ(result.reader.code(), 200);
    EXPECT_EQ(result.reader.body_bytes(), 1'000'000'000U);
  }
}

TEST(HttpResponseReader, ABodyWithoutALengthLastsToTheEnd) {
  const Read result = read("HTTP/1.0 404 Not Found\r\n\r\n");
  EXPECT_EQ(result.status, Status::complete);
  EXPECT_EQ(result.reader.code(), 404);
  EXPECT_FALSE(result.reader.body_bytes());
}

TEST(HttpResponseReader, RefusesWhatItCannotRead) {
  for (const char* const text :
       {"FTP 200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n", "HTTP/1.1-200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    EXPECT_EQ(read(text).status, Status::bad) << text;
  }
  EXPECT_EQ(read(std::string(2 * HttpResponseReader::kHeadBytesMax, 'x')).status, Status::bad);
}

}  // namespace
}  // namespace handfast::load
