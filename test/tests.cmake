# SPDX-License-Identifier: GPL-2.0-or-later
# The architecture and the style as tests.
add_test(NAME deps COMMAND sh ${CMAKE_SOURCE_DIR}/test/deps.sh ${CMAKE_SOURCE_DIR})
add_test(NAME pure COMMAND sh ${CMAKE_SOURCE_DIR}/test/pure.sh $<TARGET_FILE:engine>)
add_test(NAME tidy COMMAND sh ${CMAKE_SOURCE_DIR}/test/tidy.sh ${CMAKE_SOURCE_DIR})
