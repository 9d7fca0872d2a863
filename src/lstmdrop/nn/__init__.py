"""The regularised LSTM, the dropout rules and the layers around it."""
