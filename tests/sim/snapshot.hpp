// Snapshot: a text file of lines "key | values" that a test computes again and compares, so that a
// change of behaviour shows in the diff of the change that made it. It does not know what the
// values are. Kept in the order in which the test declares its keys.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace handfast::sim {

class Snapshot {
 public:
  // `keys`: all lines there may be, in order. A missing file is an empty one.
  Snapshot(std::string path, std::string heading, std::vector<std::string> keys);

  // What differs from the file's line, as a diff; nothing when it is the same. Remembers the line.
  std::optional<std::string> differs(const std::string& key, const std::string& values);
  // Keys of the file that no line may have any more.
  std::vector<std::string> stale_keys() const;
  // Writes the file: lines given to differs(), and the old ones of keys that were not. False: it
  // cannot be written.
  bool write() const;

 private:
  std::string path_;
  std::string heading_;
  std::vector<std::string> keys_;
  std::map<std::string, std::string> known_;
  std::map<std::string, std::string> fresh_;
};

}  // namespace handfast::sim
