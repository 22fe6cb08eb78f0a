# The tests that make calls fail, processes die and disks forget. Each runs a sample here; `make torture` runs them whole
# (INF_TORTURE=1).
add_library(inf_faults STATIC fault/faults.c fault/disk.c)
target_include_directories(inf_faults PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(inf_faults PUBLIC infinium_static)

inf_add_tests(fault inf_faults)

# libcurl finds this program's socket calls before the C library's only when they are exported.
target_sources(fault_test_nth PRIVATE fault/network.c)
set_target_properties(fault_test_nth PROPERTIES ENABLE_EXPORTS ON)
