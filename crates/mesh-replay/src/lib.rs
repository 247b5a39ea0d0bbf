//! Nothing twice: claims of payments and windows of sequence numbers.
