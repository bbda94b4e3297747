// The main() of a fuzz target without libFuzzer: runs each file that it is given, and each file of
// each folder, through the target once. A failed check or a sanitizer ends the process.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/input.hpp"

namespace {

namespace fs = std::filesystem;

void add_files(const fs::path& path, std::vector<fs::path>& files) {
  if (!fs::is_directory(path)) {
    files.push_back(path);
    return;
  }
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
}

bool replay(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    return false;
  }
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::fprintf(stderr, "%s, %zu bytes\n", path.c_str(), bytes.size());
  // Never null, and of exactly this size: what is read beyond is found.
  std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
  input.shrink_to_fit();
  const std::uint8_t none = 0;
  LLVMFuzzerTestOneInput(input.empty() ? &none : input.data(), input.size());
  return true;
}

int replay_all(std::span<char*> arguments) {
  std::vector<fs::path> files;
  for (const char* argument : arguments) add_files(argument, files);
  std::ranges::sort(files);
  if (files.empty()) {
    std::fprintf(stderr, "nothing to replay: give files or folders\n");
    return 2;
  }
  const bool all = std::ranges::all_of(files, replay);
  std::fprintf(stderr, "%zu inputs\n", files.size());
  return all ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return replay_all(std::span{argv, static_cast<std::size_t>(argc)}.subspan(1));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
