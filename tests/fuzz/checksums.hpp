// Makes the checksums of a frame right, of whatever protocols it seems to be, so that a fuzzer's
// bytes get past them to the code behind. Reads no field that the frame does not have.
#pragma once

#include <cstddef>
#include <span>

namespace handfast::fuzz {

void fix_checksums(std::span<std::byte> frame);

}  // namespace handfast::fuzz
