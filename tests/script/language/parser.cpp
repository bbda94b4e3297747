#include "tests/script/language/parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/script/language/settings.hpp"
#include "tests/script/language/statement_parser.hpp"

namespace handfast::script {
namespace {

namespace fs = std::filesystem;

constexpr int kIncludesMax = 4;  // one in another

std::optional<std::string> read_file(const fs::path& file) {
  std::ifstream stream(file);
  if (!stream) return std::nullopt;
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

class Parser {
 public:
  explicit Parser(const fs::path& file)
      : prelude_(fs::absolute(file).parent_path().parent_path() / "prelude") {
    script_.file = file.string();
    script_.stack = default_settings(false);
  }

  bool parse(std::string_view text, const fs::path& file) {
    std::istringstream stream{std::string(text)};
    std::string written;
    for (int number = 1; std::getline(stream, written); ++number) {
      auto words = split_words(written);
      if (!words) return fail(file, number, words.error());
      if (words->empty()) continue;
      Line line{Words{*std::move(words)}};
      statement_ = {.file = file.string(), .line = number, .text = written};
      parse_line(line);
      if (line.is_good() && !line.words().at_end()) {
        line.fail(fmt::format("'{}' is too much here", line.words().peek()));
      }
      if (!line.is_good()) return fail(file, number, *line.error());
    }
    return true;
  }
  std::expected<Script, std::string> finish() {
    if (script_.statements.empty()) fail(script_.file, 1, "nothing happens in this script");
    if (const auto good = script_.stack.check(); !good) fail(script_.file, 1, good.error());
    check_linux();
    if (!error_.empty()) return std::unexpected(error_);
    return std::move(script_);
  }

 private:
  bool fail(const fs::path& file, int line, std::string_view what) {
    // An included file's error is told with its own place.
    if (error_.empty()) error_ = fmt::format("{}:{}: {}", file.string(), line, what);
    return false;
  }
  void parse_line(Line& line) {
    statement_.side = Side::both;
    if (line.words().accept("handfast:")) {
      statement_.side = Side::handfast;
    } else if (line.words().accept("linux:")) {
      statement_.side = Side::linux_only;
    }
    const std::string& verb = line.words().peek();
    const bool is_header =
        verb == "config" || verb == "family" || verb == "include" || verb == "linux";
    if (statement_.side == Side::both && is_header) return parse_header(line);
    statement_.action = parse_action(line);
    if (line.is_good()) script_.statements.push_back(statement_);
  }
  void parse_header(Line& line) {
    const std::string verb = line.words().take();
    if (verb == "linux") return parse_linux(line);
    if (verb == "include") return include(line);
    if (!script_.statements.empty()) {
      return line.fail(fmt::format("{} stands before everything that happens", verb));
    }
    if (verb == "family") return parse_family(line);
    const std::string name = line.words().take();
    parse_setting(line, name, script_.stack);
    script_.settings.push_back(name);
  }
  void parse_family(Line& line) {
    const std::string word = line.words().take();
    if (word != "ipv4" && word != "ipv6") return line.refuse(word, "ipv4 or ipv6");
    if (!script_.settings.empty()) return line.fail("family stands before the settings");
    script_.is_v6 = word == "ipv6";
    script_.stack = default_settings(script_.is_v6);
  }
  void parse_linux(Line& line) {
    const std::string word = line.words().take();
    const std::string why = line.words().take();
    if (word != "skip" && word != "differs") return line.refuse(word, "skip or differs");
    if (why.empty()) {
      return line.fail(fmt::format("linux {} says why: linux {} \"it has no ...\"", word, word));
    }
    (word == "skip" ? script_.linux_skip : script_.linux_differs) = why;
  }
  void include(Line& line) {
    const std::string name = line.words().take();
    const fs::path file = prelude_ / (name + ".seg");
    const auto text = read_file(file);
    if (!text) return line.fail(fmt::format("'{}' cannot be read to be included", file.string()));
    if (depth_ == kIncludesMax) return line.fail("files include each other too deeply");
    ++depth_;
    const bool is_good = parse(*text, file);
    --depth_;
    if (!is_good) line.fail("in the included file");
  }
  // A difference that is not explained is a mistake, and so is an explanation of none.
  void check_linux() {
    const auto sided = std::ranges::find_if(
        script_.statements, [](const Statement& s) { return s.side != Side::both; });
    const bool is_sided = sided != script_.statements.end();
    if (is_sided && !script_.linux_differs) {
      fail(sided->file, sided->line,
           "what only one of them does needs an explanation: linux differs \"why\"");
    }
    if (!is_sided && script_.linux_differs) {
      fail(script_.file, 1, "linux differs, but no line is for one of them: handfast: or linux:");
    }
  }

  fs::path prelude_;
  Script script_;
  Statement statement_;
  std::string error_;
  int depth_ = 0;
};

}  // namespace

std::expected<Script, std::string> parse_text(std::string_view text, const fs::path& file) {
  Parser parser(file);
  parser.parse(text, file);
  return parser.finish();
}

std::expected<Script, std::string> parse_file(const fs::path& file) {
  const auto text = read_file(file);
  if (!text) return std::unexpected(fmt::format("{}: cannot be read", file.string()));
  return parse_text(*text, file);
}

}  // namespace handfast::script
