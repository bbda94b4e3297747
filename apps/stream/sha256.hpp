// Sha256: OpenSSL's SHA-256, fed piece by piece. Made before a run; adding bytes allocates nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;  // OpenSSL's

namespace handfast::apps {

class Sha256 {
 public:
  Sha256();

  void restart();  // forgets what was added; allocates nothing
  void add(std::span<const std::byte> bytes);
  // Of everything added so far, as 64 hexadecimal digits; more may be added after it.
  std::string hex() const;

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace handfast::apps
