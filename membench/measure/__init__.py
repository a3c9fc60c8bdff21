"""Carries out a plan: measures rounds in fresh worker processes, and keeps a journal."""
