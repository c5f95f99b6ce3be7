// Vector files as they are read: which columns there are, which rows are refused (contracts 5).
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/vector_file.h"
#include "formats/error.h"

namespace accsim::test {
namespace {

cli::VectorFile read(const std::string& text) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / ("accsim-vectors-" + std::to_string(getpid()) + ".csv");
  std::ofstream(path) << text;
  struct Removed {
    std::filesystem::path path;
    ~Removed() { std::filesystem::remove(path); }
  } removed{path};
  return cli::read_vectors(path.string());
}

/// The message of what is refused.
std::string refused(const std::string& text) {
  try {
    (void)read(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

bool names(const std::string& message, const std::string& part) { return message.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("columns may come in any order and case, with comments and empty lines between rows") {
  const cli::VectorFile file = read("# made by hand\n\nacc_out,B,A,clock\n3,2,1,7\n# more\n6,5,4,8\n");
  REQUIRE(file.rows.size() == 2);
  CHECK(file.rows[1].a == std::vector<std::string>{"4"});
  CHECK(file.rows[1].b == std::vector<std::string>{"5"});
  CHECK(file.rows[1].acc_out == "6");
  CHECK(file.has_acc_out);
  CHECK_FALSE(file.has_acc_in);
  CHECK(file.unknown_columns == std::vector<std::string>{"clock"});
}

TEST_CASE("a short row ends with empty operands, and an empty one before a given one is refused") {
  const cli::VectorFile file = read("a0,a1,b0,b1,acc_out\n1,,2,,3\n");
  CHECK(file.rows[0].a.size() == 1);
  CHECK(names(refused("a0,a1,b0,b1\n,1,2,\n"), "operands from the left"));
  CHECK(names(refused("a0,a1,b0,b1\n1,2,3,\n"), "2 codes of a and 1 of b"));
}

TEST_CASE("headers without both operands, or with operands out of order, are refused by name") {
  CHECK(names(refused("a,acc_out\n1,2\n"), "no column b"));
  CHECK(names(refused("a1,a0,b0,b1\n1,2,3,4\n"), "a1 out of order"));
  CHECK(names(refused("a0,a1,b0\n1,2,3\n"), "2 columns of a and 1 of b"));
  CHECK(names(refused("# nothing\n"), "no header"));
}

TEST_CASE("scales of blocks keep their columns, empty ones too") {
  const cli::VectorFile file = read("a0,a1,b0,b1,a_scale0,a_scale1,b_scale\n1,2,3,4,,7f,80\n");
  CHECK(file.a_scales == 2);
  CHECK(file.b_scales == 1);
  CHECK(file.rows[0].a_scales == std::vector<std::string>{"", "7f"});
  CHECK(file.rows[0].b_scales == std::vector<std::string>{"80"});
  CHECK(file.unknown_columns.empty());
  CHECK(names(refused("a,b,a_scale1\n1,2,3\n"), "a_scale1 out of order"));
}

TEST_CASE("rows of another length and rows out of sequence are refused by number") {
  CHECK(names(refused("a,b\n1,2\n1\n"), "row 1"));
  CHECK(names(refused("a,b,seq,step\n1,2,0,1\n1,2,0,1\n"), "step 1 after step 1"));
  CHECK(names(refused("a,b,seq\n1,2,0\n1,2,1\n1,2,0\n"), "seq 0 again"));
}

}  // namespace accsim::test
