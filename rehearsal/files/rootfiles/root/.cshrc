# .cshrc
