// ColumnarTests
