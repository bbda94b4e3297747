// Parser: a segment script's text into a Script. Reads included files, nothing else. An error is
// one line: file, line, what is wrong there and what would be right.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/script/language/script.hpp"

namespace handfast::script {

// "include NAME" reads NAME.seg of the folder `prelude` beside the script's own.
std::expected<Script, std::string> parse_file(const std::filesystem::path& file);
// As if `text` stood in `file`.
std::expected<Script, std::string> parse_text(std::string_view text,
                                              const std::filesystem::path& file);

}  // namespace handfast::script
