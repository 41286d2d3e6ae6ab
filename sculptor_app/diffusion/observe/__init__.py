"""The observer of `scheduler.step`: states, current guesses and both predictions of guidance of a running pipeline."""
