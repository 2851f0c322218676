import streamlit as st
def page() -> None:
    st.text("passages")
