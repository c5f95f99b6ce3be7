# Writes builtin_datapaths.cpp: the files of FOLDER as raw strings.
file(GLOB files ${FOLDER}/*.toml)
list(SORT files)
set(rows "")
foreach(file ${files})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  string(APPEND rows "    {\"${name}\", R\"~~(${text})~~\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made from sim/datapaths/*.toml.
#include \"sim/datapath_toml.h\"

namespace accsim::sim {
std::span<const BuiltinDatapath> builtin_datapaths() {
  static constexpr BuiltinDatapath all[] = {
${rows}  };
  return all;
}
}  // namespace accsim::sim
")
