// docs/why-three-and-four.md holds what the explorer says: each diagram there stands behind the
// command that draws it, in a comment, and each figure in its table behind a scenario.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/explore/ladder.hpp"
#include "tests/explore/options.hpp"
#include "tests/explore/report.hpp"

namespace handfast::explore {
namespace {

constexpr std::string_view kMark = "<!-- explore ";

std::vector<std::string> lines_of_page() {
  std::ifstream file(HANDFAST_PAGE);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

struct Diagram {
  std::string command;
  std::string text;
};

// A marked line, then the diagram, indented as code.
std::vector<Diagram> diagrams_of_page() {
  std::vector<Diagram> all;
  const auto lines = lines_of_page();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].starts_with(kMark)) continue;
    Diagram diagram{.command = lines[i].substr(kMark.size(), lines[i].size() - kMark.size() - 4)};
    while (++i < lines.size() && lines[i] != "```text") {
    }
    while (++i < lines.size() && lines[i] != "```") diagram.text += lines[i] + '\n';
    all.push_back(diagram);
  }
  return all;
}

std::string drawn_by(const std::string& command) {
  const auto options = parse_options(words_of(command));
  if (!options || options->runs.size() != 1) return "not one run: " + command;
  const Setting& setting = options->runs.front();
  if (options->draws_straight_way) return straight_ladder(setting);
  const auto outcome = search(setting, {.threads = 1}, wanted_faults(setting));
  if (!outcome || outcome->found.size() != 1) return "not one fault: " + command;
  return ladder(setting, outcome->found.front().way);
}

TEST(Page, ItsDiagramsAreTheExplorers) {
  const auto diagrams = diagrams_of_page();
  EXPECT_GE(diagrams.size(), 5U);
  for (const Diagram& diagram : diagrams) {
    EXPECT_EQ(diagram.text, drawn_by(diagram.command)) << diagram.command;
  }
}

// Of the figures, those that take no time to count again.
TEST(Page, ItsFiguresAreTheExplorers) {
  constexpr std::uint64_t kStatesMax = 200'000;
  std::size_t counted = 0;
  for (const std::string& line : lines_of_page()) {
    // | scenario | losses | duplicates | reorderings | bursts | states | transitions | depth |
    std::string cells = line;
    std::erase(cells, ',');
    std::ranges::replace(cells, '|', ' ');
    const auto words = words_of(cells);
    if (!line.starts_with("| `") || words.size() != 8) continue;
    const std::string name = words[0].substr(1, words[0].size() - 2);
    const Scenario* const scenario = find_scenario(name);
    ASSERT_NE(scenario, nullptr) << line;
    if (std::stoull(words[5]) > kStatesMax) continue;
    const auto budget = [&words](std::size_t i) {
      return static_cast<std::uint8_t>(std::stoul(words[i]));
    };
    const Setting setting{.scenario = scenario,
                          .budget = {budget(1), budget(2), budget(3), budget(4)}};
    const auto outcome = search(setting, {.threads = 1}, wanted_faults(setting));
    ASSERT_TRUE(outcome.has_value());
    EXPECT_TRUE(outcome->is_complete) << line;
    EXPECT_EQ(std::to_string(outcome->states), words[5]) << line;
    EXPECT_EQ(std::to_string(outcome->transitions), words[6]) << line;
    EXPECT_EQ(std::to_string(outcome->depth), words[7]) << line;
    ++counted;
  }
  EXPECT_GE(counted, 4U);
}

}  // namespace
}  // namespace handfast::explore
