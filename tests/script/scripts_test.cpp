// Every script of the folder, played against lib/stack, is a test of its own: "open.active_open".
#include <gtest/gtest.h>

#include "tests/script/runner/batch.hpp"

namespace handfast::script {
namespace {

class ScriptTest : public testing::Test {
 public:
  explicit ScriptTest(std::filesystem::path file) : file_(std::move(file)) {}
  void TestBody() override {
    const Outcome outcome = play_on_handfast(file_, false);
    EXPECT_EQ(outcome.verdict, Verdict::passed) << outcome.why;
  }

 private:
  std::filesystem::path file_;
};

void register_scripts() {
  const auto files = find_scripts({HANDFAST_SCRIPTS});
  for (const auto& file : files ? *files : std::vector<std::filesystem::path>{}) {
    testing::RegisterTest(file.parent_path().filename().c_str(), file.stem().c_str(), nullptr,
                          nullptr, file.c_str(), 1,
                          [file]() -> testing::Test* { return new ScriptTest(file); });
  }
}

}  // namespace
}  // namespace handfast::script

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  handfast::script::register_scripts();
  return RUN_ALL_TESTS();
}
